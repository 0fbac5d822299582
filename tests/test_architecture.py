"""Who may import whom, where the vendors' names may stand, and how people are spoken of."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = {"participants", "metrics", "ingestion", "dashboards", "config"}
MAY_IMPORT = {
    "participants": set(),
    "metrics": {"participants"},
    "ingestion": {"participants", "metrics"},
    "dashboards": {"participants", "metrics", "ingestion"},
}
VENDORS = sorted(
    package.name for package in (ROOT / "ingestion" / "providers").iterdir() if (package / "__init__.py").is_file()
)

# A woman is spoken of in these words; nobody here is known to be one. Written so that it does not find itself.
OF_A_WOMAN = re.compile(r"(?<![a-z])(?:[s]he|[h]er(?:s|self)?)(?![a-z])", re.IGNORECASE)
READ_FOR_IT = (
    *sorted(ROOMS),
    *("templates", "static", "docs", "benchmarks", "deploy", "tests"),
    *("README.md", "SECURITY.md", ".env.example", "Makefile", "pyproject.toml"),
)
NOT_READ_FOR_IT = {
    "vendor": "others' code",
    "migrations": "stay as they were applied",
    "openapi.yaml": "written from the code, which is read itself",
    "__pycache__": "compiled from what is read itself",
}
# Values that rows hold and programs send: they stay as they are, and pages word them anew (dashboards.outreach_words).
STORED = ("Reached her", "she has left the trial", "she wants no more reminders", "her address refuses mail")


def modules(room: str) -> list[Path]:
    return [path for path in (ROOT / room).rglob("*.py") if "migrations" not in path.parts]


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_rooms_import_only_what_lies_beneath_them(room: str) -> None:
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(room)
        for name in imported(path)
        if (top := name.split(".")[0]) in ROOMS and top not in MAY_IMPORT[room] | {room}
    }
    assert not wrong


def test_dashboards_see_models_and_services_of_ingestion_but_no_provider() -> None:
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules("dashboards")
        for name in imported(path)
        if name.startswith("ingestion.providers")
    }
    assert not wrong


@pytest.mark.parametrize("room", ["participants", "metrics", "dashboards"])
def test_vendors_are_named_among_the_providers_only(room: str) -> None:
    wrong = {
        f"{path.relative_to(ROOT)} names {vendor}"
        for path in modules(room)
        for vendor in VENDORS
        if vendor != "synthetic" and vendor in path.read_text().lower()
    }
    assert not wrong


def test_what_addresses_and_forms_say_is_read_in_one_place() -> None:
    """participants.entered bounds every value; what reads past it can be broken by a NUL or by 5,000 digits."""
    wrong = {
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for room in ("participants", "metrics", "ingestion", "dashboards")
        for path in modules(room)
        if path != ROOT / "participants" / "entered.py" and "simulator" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("GET", "POST")
    }
    assert not wrong


def test_text_that_a_spreadsheet_would_run_is_known_in_one_place() -> None:
    found = {
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in modules(room)
        if '"=", "+", "-", "@"' in path.read_text()
    }
    assert found == {"participants/tables.py"}


def test_every_module_says_what_it_is_for() -> None:
    silent = {
        str(path.relative_to(ROOT))
        for room in (*ROOMS, "tests", "benchmarks")
        for path in modules(room)
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
