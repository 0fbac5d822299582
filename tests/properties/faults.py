"""Faults that were mended, put back one at a time, to see that the lives of test_lives.py find each of them.

`PROPERTY_FAULT=one_source_a_span make properties` ends well when the fault is found, and says after how many lives.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

import pytest

import ingestion.connections.services
import ingestion.sync.planning
import metrics.exports.plan
import metrics.selection.collection_window
import metrics.selection.readable_series
import metrics.selection.source_choice
import metrics.writing.sql
import participants.services.participation
from ingestion.models import Connection, SyncWindow
from metrics.selection.plausible_range import counted
from metrics.time_buckets import Span
from participants.collection_interval import CollectedDays, collected_days
from participants.models import Participant


def one_source_a_span(patch: pytest.MonkeyPatch) -> None:
    """The source is chosen once for all dates that are asked for."""
    choose = metrics.selection.source_choice.chosen_sources

    def chosen(*given: Any, **how: Any) -> Mapping[Any, Any]:
        found = choose(*given, **how)
        for one in found.values():
            if one.runs:
                longest = max(one.runs, key=lambda run: run.last - run.first)
                one.runs = [replace(longest, first=one.runs[0].first, last=one.runs[-1].last)]
        return found

    patch.setattr(metrics.selection.source_choice, "chosen_sources", chosen)
    patch.setattr(metrics.selection.readable_series, "chosen_sources", chosen)


def trials_dates_ignored(patch: pytest.MonkeyPatch) -> None:
    """Only the participant's own dates bound what is collected."""

    def days(participants: Collection[int], using: str = "default") -> dict[int, CollectedDays]:
        own = {one.pk: one for one in Participant.objects.using(using).filter(pk__in=participants)}
        found = {}
        for pk, one in collected_days(participants, using).items():
            person = own.get(pk)
            lasts = [person.monitoring_ends_on] if person and person.monitoring_ends_on else []
            if person and person.withdrawn_on:
                lasts.append(person.withdrawn_on - dt.timedelta(days=1))
            first = person.monitoring_starts_on if person else None
            found[pk] = replace(one, first=first, last=min(lasts, default=None))
        return found

    patch.setattr(metrics.selection.collection_window, "collected_days", days)


def no_second_check_after_the_vendor(patch: pytest.MonkeyPatch) -> None:
    """What was read before the vendor was asked is written."""
    patch.setattr(ingestion.connections.services, "lock_participant", lambda participant: None)


def status_from_what_was_read_before(patch: pytest.MonkeyPatch) -> None:
    """Services go by the object that they are given."""
    patch.setattr(participants.services.participation, "lock_participant", lambda participant: None)


def exports_hold_everything(patch: pytest.MonkeyPatch) -> None:
    """Exports write what is stored, collected or not."""
    collected = metrics.selection.collection_window.collected
    everything = [Span(metrics.selection.collection_window.EVER, metrics.selection.collection_window.NEVER)]

    def held(*given: Any, **how: Any) -> Any:
        return {
            pk: replace(one, days=CollectedDays(), spans=everything) for pk, one in collected(*given, **how).items()
        }

    patch.setattr(metrics.exports.plan, "collected", held)


def impossible_values_count(patch: pytest.MonkeyPatch) -> None:
    """Rollups are made of every value."""
    for name, text in list(vars(metrics.writing.sql).items()):
        if isinstance(text, str) and name.startswith("FILL_"):
            patch.setattr(metrics.writing.sql, name, text.replace(counted("m"), "true"))


def an_empty_answer_is_final(patch: pytest.MonkeyPatch) -> None:
    """Asked for by hand is only what was never asked for."""
    plan = ingestion.sync.planning
    make_all_due = plan.make_all_due

    def unasked(connection: Connection, wanted: Collection[Any], **how: Any) -> int:
        known = set(SyncWindow.objects.filter(connection=connection).values_list("data_type", "starts_at"))
        return make_all_due(connection, [one for one in wanted if (one.data_type, one.starts_at) not in known], **how)

    patch.setattr(plan, "make_all_due", unasked)


FAULTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    one.__name__: one
    for one in (
        one_source_a_span,
        trials_dates_ignored,
        no_second_check_after_the_vendor,
        status_from_what_was_read_before,
        exports_hold_everything,
        impossible_values_count,
        an_empty_answer_is_final,
    )
}
