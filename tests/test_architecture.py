"""Who may import whom, and where the vendors' names may stand."""

from __future__ import annotations

import ast
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
