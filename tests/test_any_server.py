"""The list of tests that one kind of database server suffices for: they are there, and they may be listed."""

from __future__ import annotations

import ast

import pytest

from tests.any_server import ANY_SERVER, suffices
from tests.paths import ROOT

# What stores and reads measurements. Who imports it tests it, or puts measurements there.
OF_MEASUREMENTS = (
    "metrics.corrections",
    "metrics.maintenance",
    "metrics.reading",
    "metrics.storage",
    "metrics.writing",
    "tests.dashboards.measured",
    "tests.metrics",
)


@pytest.mark.parametrize("beginning", ANY_SERVER)
def test_what_is_listed_is_there(beginning: str) -> None:
    module, _, name = beginning.partition("::")
    assert (ROOT / module).exists()
    assert module.endswith(("/", ".py")), "a name that only begins so is not meant"
    if name:
        functions = [node.name for node in ast.walk(ast.parse((ROOT / module).read_text())) if hasattr(node, "name")]
        assert any(function.startswith(name.partition("[")[0]) for function in functions)


def test_nothing_that_stores_or_reads_measurements_is_listed() -> None:
    listed = [
        path
        for path in (ROOT / "tests").rglob("test_*.py")
        if suffices(str(path.relative_to(ROOT))) and "tests/browser/" not in str(path)
    ]
    assert len(listed) > 50
    wrong = {
        str(path.relative_to(ROOT)): node.module
        for path in listed
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(OF_MEASUREMENTS)
        if [alias.name for alias in node.names] != ["after_migrate"]  # fills the table of metrics
    }
    assert wrong == {}


def test_nothing_that_needs_timescaledb_is_listed() -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("test_*.py")
        if suffices(str(path.relative_to(ROOT)))
        if {"pytest.mark.timescale", "pytest.mark.community"}
        & {ast.unparse(node) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    ]
    assert wrong == []
