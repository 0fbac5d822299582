"""Who may import whom, where the vendors' names may stand, and how people are spoken of."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import current_app

from deploy.structure import MOST_MODULES
from tests.paths import ROOT
from tests.sql_text import statements

APPS = {"participants", "metrics", "ingestion", "dashboards", "config"}
MAY_IMPORT = {
    "participants": set(),
    "metrics": {"participants"},
    "ingestion": {"participants", "metrics"},
    "dashboards": {"participants", "metrics", "ingestion"},
}
VENDORS = sorted(
    package.name
    for package in (ROOT / "ingestion" / "providers").iterdir()
    if (package / "__init__.py").is_file() and package.name != "base"  # the contracts
)

# A woman is spoken of in these words; nobody here is known to be one. Written so that it does not find itself.
OF_A_WOMAN = re.compile(r"(?<![a-z])(?:[s]he|[h]er(?:s|self)?)(?![a-z])", re.IGNORECASE)
READ_FOR_IT = (
    *sorted(APPS),
    *("templates", "static", "docs", "benchmarks", "deploy", "tests"),
    *("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", ".github"),
    *(".env.example", "Makefile", "pyproject.toml"),
)
NOT_READ_FOR_IT = {
    "vendor": "others' code",
    "migrations": "stay as they were applied",
    "openapi.yaml": "written from the code, which is read itself",
    "__pycache__": "compiled from what is read itself",
}
# Values that rows hold and programs send: they stay as they are, and pages word them anew
# (dashboards.messaging.labels).
STORED = ("Reached her", "she has left the trial", "she wants no more reminders", "her address refuses mail")


def modules(app: str) -> list[Path]:
    return [path for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts]


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("app", sorted(MAY_IMPORT))
def test_apps_import_only_what_lies_beneath_them(app: str) -> None:
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(app)
        for name in imported(path)
        if (top := name.split(".")[0]) in APPS and top not in MAY_IMPORT[app] | {app}
    }
    assert not wrong


def test_the_wiring_imports_nothing_of_the_set_up() -> None:
    """deploy imports what config.embedded.setup shares with it; neither waits for the other."""
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for app in sorted(APPS)
        for path in modules(app)
        for name in imported(path)
        if name.split(".")[0] == "deploy"
    }
    assert not wrong


# Packages of each app from the bottom up: a module imports packages of lower layers and its own, no others.
LAYERS: dict[str, list[set[str]]] = {
    "participants": [
        {
            "after_commit",
            "conditions_sql",
            "registration",
            "s3",
            "sql",
            "study_ids",
            "tables",
            "task_queue",
            "user_input",
        },
        {"compiled_sql", "forms", "querysets"},
        {"models"},
        {"hooks"},
        {"audit", "collection_interval", "locks", "trial_closing", "visible_statements", "write_rights"},
        {"services"},
        {"privacy"},
        {"accounts", "enrolment"},
        {"tasks"},
        {"admin_site", "api.base"},
        {"admin", "api", "apps", "management", "templatetags"},
    ],
    "metrics": [
        {"registry"},
        {"batch"},
        {"local_time", "prometheus", "text_columns"},
        {"time_buckets"},
        {"models"},
        {"erasure_sql", "participant_calendars", "storage"},
        {"selection"},
        {"monitoring"},
        {"writing"},
        {"exchange", "reading"},
        {"exports"},
        {"corrections", "erasure", "maintenance", "reevaluation", "subject_access"},
        {"tasks"},
        {"admin", "api", "apps", "management"},
    ],
    "ingestion": [
        {"providers.base"},
        {"models", "prometheus", "providers"},
        {"erasure", "heartbeats", "live_providers", "synthetic"},
        {"connections", "file_imports", "source_deletion", "subject_access"},
        {"sync"},
        {"demo", "tasks"},
        {"admin", "api", "apps", "management", "urls"},
    ],
    "dashboards": [
        {"models", "ui"},
        {"accounts", "exports", "protocols"},
        {"trial_overview"},
        {"alerts", "heatmap", "messaging"},
        {"participant_detail"},
        {"connections", "subject_access", "tasks"},
        {"admin", "api", "apps", "management"},
        {"templatetags"},
        {"urls"},
    ],
}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def package_of(module: str) -> str:
    """The part of an app that a module belongs to, as LAYERS names it."""
    inside = module.split(".", 1)[1] if "." in module else ""
    nested = ("api.base", "providers.base")
    return next((one for one in nested if f"{inside}.".startswith(f"{one}.")), inside.split(".")[0])


def imports_of(path: Path, known: set[str]) -> set[str]:
    """Modules of ours that a module imports, at its top or later; not what only types need."""
    tree = ast.parse(path.read_text())
    typed = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    names = set()
    for node in ast.walk(tree):
        if id(node) in typed:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= full & known or {node.module}
    return names & known


KNOWN = {name_of(path) for app in APPS for path in modules(app)}


@pytest.mark.parametrize("app", sorted(LAYERS))
def test_packages_import_only_lower_layers(app: str) -> None:
    layer = {package: number for number, packages in enumerate(LAYERS[app]) for package in packages}
    wrong = set()
    for path in modules(app):
        module = name_of(path)
        if module == app:
            continue
        for name in imports_of(path, KNOWN):
            if name.split(".")[0] != app or package_of(name) == package_of(module):
                continue
            if layer[package_of(name)] >= layer[package_of(module)]:
                wrong.add(f"{module} -> {name}")
    assert wrong == set()


def test_tasks_are_asked_for_by_name() -> None:
    """participants.task_queue.enqueue: what a task runs may then import whoever asks for it."""
    wrong = {
        f"{name_of(path)} -> {name}"
        for app in LAYERS
        for path in modules(app)
        if path.name != "apps.py"  # registers them
        for name in imports_of(path, KNOWN)
        if name in {f"{app}.tasks" for app in LAYERS}
    }
    assert not wrong


# Functions that are given a task's name.
SENDERS = {"enqueue", "queue", "queue_or_log"}


def senders_in(call: ast.Call) -> bool:
    """Whether a call enqueues, or hands a function that does to one that calls it later."""
    named = [getattr(one, "id", getattr(one, "attr", "")) for one in (call.func, *call.args)]
    return not SENDERS.isdisjoint(named)


def test_what_is_asked_for_by_name_is_a_task() -> None:
    names = {
        given.value
        for app in LAYERS
        for path in modules(app)
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and senders_in(call)
        for given in call.args
        if isinstance(given, ast.Constant) and isinstance(given.value, str)
    }
    assert {"metrics.export_run", "participants.mail_notice", "ingestion.give_back", "dashboards.send_due"} <= names
    assert not names - set(current_app.tasks)


def test_no_feature_imports_the_views_of_another() -> None:
    wrong = {
        f"{name_of(path)} -> {name}"
        for path in modules("dashboards")
        for name in imports_of(path, KNOWN)
        if name.startswith("dashboards.") and name.endswith("views")
        if package_of(name) != package_of(name_of(path)) and package_of(name_of(path)) not in ("api", "urls")
    }
    assert not wrong


def test_no_folder_holds_more_modules_than_one_can_look_through() -> None:
    held = Counter(path.parent for app in APPS for path in modules(app) if path.name != "__init__.py")
    assert {str(folder.relative_to(ROOT)): n for folder, n in held.items() if n > MOST_MODULES} == {}


def test_dashboards_see_models_and_services_of_ingestion_but_no_provider() -> None:
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules("dashboards")
        for name in imported(path)
        if name.startswith("ingestion.providers")
    }
    assert not wrong


@pytest.mark.parametrize("app", ["participants", "metrics", "dashboards"])
def test_vendors_are_named_among_the_providers_only(app: str) -> None:
    wrong = {
        f"{path.relative_to(ROOT)} names {vendor}"
        for path in modules(app)
        for vendor in VENDORS
        if vendor != "synthetic" and vendor in path.read_text().lower()
    }
    assert not wrong


GATES = {"visible_to", "managed_by", "led_by"}


def is_gate(function: ast.FunctionDef) -> bool:
    """Whether it gives a trial or a participant of an address to who may see them, and 404 to everybody else."""
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    called = {ast.unparse(call.func).split(".")[-1] for call in calls}
    keywords = {keyword.arg for call in calls for keyword in call.keywords}
    return "get_object_or_404" in called and bool(GATES & called) and bool({"code", "trial__code"} & keywords)


def test_pages_let_in_at_one_gate() -> None:
    """dashboards.ui.access: of a copy nobody would know that it must change with the others."""
    gates = [
        f"{name_of(path)}.{function.name}"
        for path in modules("dashboards")
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef) and is_gate(function)
    ]
    assert gates == [
        f"dashboards.ui.access.{name}" for name in ("visible_participant", "visible_trial", "led_trial", "team_trial")
    ]


def test_what_addresses_and_forms_say_is_read_in_one_place() -> None:
    """participants.user_input bounds every value; what reads past it can be broken by a NUL or by 5,000 digits."""
    wrong = {
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for app in ("participants", "metrics", "ingestion", "dashboards")
        for path in modules(app)
        if path != ROOT / "participants" / "user_input.py" and "simulator" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("GET", "POST")
    }
    assert not wrong


def test_text_that_a_spreadsheet_would_run_is_known_in_one_place() -> None:
    found = {
        str(path.relative_to(ROOT)) for app in APPS for path in modules(app) if '"=", "+", "-", "@"' in path.read_text()
    }
    assert found == {"participants/tables.py"}


# What makes tables holds the statements that do.
DEFINITIONS = ("config/db/", "metrics/storage/timescale.py")


def test_sql_stands_in_sql_modules() -> None:
    """In sql.py and *_sql.py, where who reviews a statement finds all of them; `modules` leaves migrations out."""
    wrong = {
        f"{path.relative_to(ROOT)}:{line}: {text.strip()[:60]}"
        for app in APPS
        for path in modules(app)
        if path.name != "sql.py" and not path.name.endswith("_sql.py")
        if not str(path.relative_to(ROOT)).startswith(DEFINITIONS)
        for line, text in statements(path.read_text())
    }
    assert not wrong


def test_every_module_says_what_it_is_for() -> None:
    silent = {
        str(path.relative_to(ROOT))
        for app in (*APPS, "tests", "benchmarks")
        for path in modules(app)
        if path.read_text().strip() and path.name != "apps.py" and not ast.get_docstring(ast.parse(path.read_text()))
    }
    assert not silent


def texts() -> Iterator[Path]:
    for start in READ_FOR_IT:
        for path in [ROOT / start] if (ROOT / start).is_file() else (ROOT / start).rglob("*"):
            if path.is_file() and path.suffix not in (".webp", ".xz") and not NOT_READ_FOR_IT.keys() & set(path.parts):
                yield path


def test_nobody_is_taken_for_a_woman() -> None:
    """Participants, managers and users are they, in what is read of this project and in the names of its code."""
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in texts()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if OF_A_WOMAN.search(re.sub("|".join(STORED), "", line))
    ]
    assert not wrong


def test_metrics_and_batches_load_without_settings() -> None:
    """Statisticians' scripts and the benchmarks read them before Django is set up."""
    bare = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    subprocess.run([sys.executable, "-c", "import metrics.batch"], cwd=ROOT, env=bare, check=True)


# Tests of what several packages do together, or of the whole.
ACROSS = {"access", "api", "backup", "browser", "hosts", "properties", "security", "upgrade"}


def test_tests_lie_in_folders_named_as_the_packages() -> None:
    folders = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    inside = {folder for folder in folders if folder.parts and folder.parts[0] not in ACROSS}
    assert {
        folder for folder in inside if not ((ROOT / folder).is_dir() or (ROOT / folder).with_suffix(".py").is_file())
    } == set()


# Tests that replace functions of ours, and why nothing beyond the product would do: a server, broker, clock or
# setting that is played (CONTRIBUTING.md).
REPLACED = {
    "tests/properties/faults.py": "puts faults back into the product",
    **dict.fromkeys(
        (
            "tests/ingestion/file_imports/test_import_files.py",
            "tests/ingestion/file_imports/test_import_undo.py",
            "tests/ingestion/file_imports/test_read_anew.py",
            "tests/ingestion/file_imports/test_turned_away.py",
            "tests/metrics/exports/test_engine.py",
            "tests/participants/test_study_ids.py",
            "tests/security/test_keys.py",
        ),
        "another acts, or the program is killed, between two steps of one function",
    ),
    **dict.fromkeys(
        (
            "tests/api/test_series_raw.py",
            "tests/metrics/reading/test_raw.py",
            "tests/participants/admin/test_enrolment.py",
        ),
        "counts calls, and calls the function",
    ),
    "tests/config/embedded/test_embedded.py": "a supervisor without programs",
    "tests/config/health/test_health.py": "a program newer than its files",
    "tests/config/observability/test_processes.py": "a folder in memory on systems that have none",
    "tests/config/observability/test_state.py": "reads what the test has not committed",
}


def replaced_functions(path: Path) -> set[str]:
    """Functions and classes of ours that a module of tests replaces: by `setattr`, or by a path in a string."""
    tree = ast.parse(path.read_text())
    ours = {name.partition(".")[0] for name in _names_of_ours(tree)}
    replaced = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="setattr"), args=[thing, ast.Constant(value=str(name)), _]):
                owner = ast.unparse(thing)
                data = name.isupper() or name in ("functions", "sql") or owner == "app.conf"
                if owner.partition(".")[0].partition("(")[0] in ours and not data:
                    replaced.add(f"{owner}.{name}")
            case ast.Call(func=ast.Attribute(attr="setattr" | "patch"), args=[text, *_]):
                if ast.unparse(text).strip("f'").partition(".")[0] in APPS and isinstance(
                    text, ast.Constant | ast.JoinedStr
                ):
                    replaced.add(ast.unparse(text))
    return replaced


def _names_of_ours(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.asname or alias.name for alias in names if alias.name.partition(".")[0] in APPS)
            case ast.ImportFrom(module=str(module), names=names) if module.partition(".")[0] in APPS:
                yield from (alias.asname or alias.name for alias in names)


def test_tests_replace_what_stands_beyond_the_product_and_not_its_functions() -> None:
    replaced = {str(path.relative_to(ROOT)): replaced_functions(path) for path in modules("tests")}
    assert {path: names for path, names in replaced.items() if names and path not in REPLACED} == {}
    assert {path for path in REPLACED if not replaced[path]} == set(), "listed, and needed no more"
    by_string = {name for names in replaced.values() for name in names if name.strip("f").startswith("'")}
    assert by_string == set(), "a rename would not find them"
