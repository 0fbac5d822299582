"""The documentation's table is the mapping."""

from __future__ import annotations

from io import StringIO

from django.core.management import call_command

from metrics.exchange.mappings import CATEGORIES
from metrics.registry import METRICS
from tests.paths import ROOT


def test_the_documentation_has_the_table_that_the_command_prints() -> None:
    printed = StringIO()
    call_command("exchange_mapping", stdout=printed)
    assert printed.getvalue() in (ROOT / "docs" / "fhir-and-openmhealth.md").read_text()


def test_every_metric_has_a_category() -> None:
    assert set(CATEGORIES) == {metric.code for metric in METRICS}
