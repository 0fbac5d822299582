"""What people enter: days, numbers and text within bounds, by every channel the same."""

from __future__ import annotations

import argparse
import datetime as dt
import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st
from rest_framework import serializers

import dashboards
import ingestion
import metrics
import participants
from participants import user_input
from participants.api.base.fields import Day
from participants.forms import DayField
from participants.user_input import EARLIEST, LATEST, Entered

APPS = (participants, metrics, ingestion, dashboards)


@pytest.mark.parametrize("text", ["2000-01-01", "2024-02-29", "2099-12-31"])
def test_a_day_within_the_bounds_is_read(text: str) -> None:
    assert user_input.day_of(text) == dt.date.fromisoformat(text)


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "1999-12-31", "2100-01-01", "0001-01-01", "9999-12-31", "2023-02-29", "20260101", "2026-W01-1",
     "2026-1-1", "٢٠٢٦-٠١-٠١", "2026-01-01T00:00", "9" * 5000, "\0"],
)  # fmt: skip
def test_everything_else_is_refused_with_what_to_give(text: str) -> None:
    with pytest.raises(ValidationError, match="2000 to 2099"):
        user_input.day_of(text)
    with pytest.raises(argparse.ArgumentTypeError, match="2000 to 2099"):
        user_input.day_argument(text)


@pytest.mark.parametrize(("day", "good"), [(EARLIEST, True), (LATEST, True), (EARLIEST - dt.timedelta(days=1), False),
                                           (LATEST + dt.timedelta(days=1), False), (dt.date.min, False)])  # fmt: skip
def test_forms_models_and_the_api_have_the_same_bounds(day: dt.date, good: bool) -> None:
    from participants.models.fields import DayField as Stored

    for clean in (
        lambda: DayField().clean(day.isoformat()),
        lambda: Day().run_validation(day.isoformat()),
        lambda: Stored().clean(day, None),
        lambda: user_input.check_day(day),
    ):
        if good:
            clean()
            continue
        with pytest.raises((ValidationError, serializers.ValidationError)):
            clean()


@given(st.dates(), st.sampled_from(sorted(available_timezones())))
def test_every_date_has_a_midnight_in_every_zone(day: dt.date, zone: str) -> None:
    at = user_input.midnight(day, ZoneInfo(zone))
    assert user_input.FIRST_INSTANT <= at <= user_input.LAST_INSTANT
    if EARLIEST <= day <= LATEST:
        assert (at.date(), at.time()) == (day, dt.time())
        user_input.check_instant(at)


@pytest.mark.parametrize("year", [1, 9999])
@pytest.mark.parametrize("hours", [-12, 0, 14])
def test_an_instant_that_a_zone_cannot_hold_is_refused(year: int, hours: int) -> None:
    with pytest.raises(ValidationError):
        user_input.check_instant(dt.datetime(year, 12, 31, 23, tzinfo=dt.timezone(dt.timedelta(hours=hours))))


@given(st.text())
def test_text_of_one_line_is_one_line(text: str) -> None:
    given = QueryDict(mutable=True)
    given["name"] = text
    read = Entered(given)
    user_input.check_line(read.text("name"))
    assert "\0" not in read.lines("name", 100)
    assert len(read.text("name", 5)) <= 5
    assert read.text("none") == ""


@pytest.mark.parametrize("text", ["a\nb", "a\r\nBcc: x", "a\0b", "\x85", "a\u2028b", "\x7f", "\t"])
def test_a_line_with_a_control_character_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        user_input.check_line(text)


def test_lines_keep_their_breaks() -> None:
    assert Entered({"text": "a\r\n\tb\0c"}).lines("text", 100) == "a\r\n\tbc"


@pytest.mark.parametrize(
    ("text", "number"),
    [("7", 7), ("0", 0), ("9223372036854775807", 2**63 - 1), ("9223372036854775808", None), ("-1", None), ("", None),
     ("1e3", None),
     ("٣", None), ("²", None), ("9" * 5000, None), ("1\0", 1), ("0" * 5000, None), (" 12 ", 12), ("1_0", None)],
)  # fmt: skip
def test_a_number_is_one_of_few_ascii_digits(text: str, number: int | None) -> None:
    assert Entered({"n": text}).number("n") == number


def test_of_many_values_the_first_are_read() -> None:
    given = QueryDict("n=1&n=x&n=3&n=4&n=5")
    assert Entered(given).numbers("n", 4) == [1, 3, 4]


# --- every channel --------------------------------------------------------------------------------------------------


def _of(base: Any) -> Iterator[Any]:
    for app in APPS:
        for module in pkgutil.walk_packages(app.__path__, f"{app.__name__}."):
            if "migrations" not in module.name and "simulator" not in module.name:
                importlib.import_module(module.name)
    waiting: list[Any] = [base]
    while waiting:
        for one in waiting.pop().__subclasses__():
            waiting.append(one)
            if one.__module__.split(".")[0] in {app.__name__ for app in APPS}:
                yield one


def test_every_form_that_asks_for_a_date_asks_within_the_bounds() -> None:
    without = [
        f"{form.__name__}.{name}"
        for form in _of(forms.BaseForm)
        for name, field in getattr(form, "base_fields", {}).items()
        if isinstance(field, forms.DateField)
        and not isinstance(field, DayField)
        and not _stored_within_bounds(form, name)
    ]
    assert without == []


def _stored_within_bounds(form: type, name: str) -> bool:
    model = getattr(getattr(form, "_meta", None), "model", None)
    return model is not None and user_input.check_day in model._meta.get_field(name).validators


def test_every_date_that_the_api_takes_is_taken_within_the_bounds() -> None:
    without = {
        f"{one.__module__}.{one.__name__}.{name}"
        for one in _of(serializers.Serializer)
        for name, field in getattr(one, "_declared_fields", {}).items()
        if isinstance(field, serializers.DateField) and not isinstance(field, Day) and not field.read_only
    }
    answers = (
        "DayOf",
        "DayStatusHistory",
        "ExerciseSession",
        "Gap",
        "ParticipantDay",
        "SeriesReadFrom",
        "SleepSession",
    )
    assert {one for one in without if one.split(".")[3].removesuffix("Serializer") not in answers} == set()


def test_every_model_field_of_one_line_that_people_fill_refuses_a_line_break() -> None:
    from django.apps import apps

    asked = {"title", "name", "phone", "arm", "reason", "first_name", "last_name", "subject", "why", "note"}
    ours = [m for m in apps.get_models() if m.__module__.split(".")[0] in {app.__name__ for app in APPS}]
    without = [
        f"{model.__name__}.{field.name}"
        for model in ours
        for field in model._meta.concrete_fields
        if type(field) is models.CharField and field.name in asked
    ]
    # What programs write: names of metrics, files, trackers, sessions; reasons of rejected rows and of the audit trail.
    assert set(without) == {
        "AuditDetail.reason", "ConnectionEvent.reason", "ExerciseSession.name", "Heartbeat.name", "ImportFile.name",
        "Metric.name", "ParticipantDay.reason", "RejectedRow.reason", "SyncWindow.reason", "DayStatusHistory.reason",
        "DayStatusHistory.why",
        "AuditDetail.subject",
    }  # fmt: skip
