"""The protocol's rules watch a trial's participants: they raise, update and resolve alerts, one for each rule.

A pass over a trial takes a handful of statements, whatever its size, and is safe to repeat: the database compares what
the participants' status summaries say now with the alerts that are open (dashboards.alerts.sql), and what differs is
written. Facts hold instants, not durations, so an alert whose facts have not changed is not touched.

- Nobody who is excused (paused, withdrawn, before the start or after the end) gets an alert; open ones are resolved.
- While data are missing through a fault of ours or the vendor's, "no upload" is held: neither raised nor made worse,
  nor resolved, or an hour's outage would take away what people have acknowledged.
- Days that were counted anew by other plausible ranges (metrics.reevaluation.range_change) are no news: the low wear
that comes of that raises nothing and makes nothing worse, until adherence falls further.
- What was acknowledged stays so until it is resolved. Becoming critical ends a snooze.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Case, F, QuerySet, SmallIntegerField, Value, When

from dashboards.alerts.differences import WATCHED, Difference, differences, watched, with_rules
from dashboards.models import Alert, AlertEvent
from metrics.models import Access, Exclusion, ParticipantStatusSummary
from metrics.monitoring import pending
from participants.models import Participant, Trial

Rule, What, Resolution = Alert.Rule, AlertEvent.What, Alert.Resolution
# The rules in the order of their statuses: of alerts of one level, the first is the most urgent.
ORDER = (Rule.NO_UPLOAD, Rule.RECONNECT, Rule.NEVER_CONNECTED, Rule.LOW_WEAR, Rule.LOW_SLEEP)
BATCH = 1_000


@dataclass(slots=True)
class Outcome:
    """Outcome of a pass: numbers of alerts."""

    raised: int = 0
    worse: int = 0
    better: int = 0
    resolved: int = 0

    @property
    def any(self) -> bool:
        return bool(self.raised or self.worse or self.better or self.resolved)


def trials_to_watch(now: dt.datetime) -> dict[int, set[int]]:
    """Trials in which an alert differs from what the rules say, each with the participants concerned.

    Three queries, however many trials there are.
    """
    concerned: dict[int, set[int]] = defaultdict(set)
    for difference in differences(watched(now), now):
        concerned[difference.trial_id].add(difference.participant_id)
    return dict(concerned)


def watch(trial_id: int, now: dt.datetime, people: Collection[int] | None = None) -> Outcome | None:
    """Bring a trial's alerts in line with how its participants stand. None: another worker is at it, or no trial.

    The trial's row is the lock: a second pass would find nothing to do, so it does not wait. `people`: only theirs.
    """
    pending.settle(Participant.objects.filter(trial=trial_id), now=now)
    with transaction.atomic():
        locked = Trial.objects.select_for_update(no_key=True, skip_locked=True)
        trial = locked.filter(pk=trial_id).first()
        if trial is None:
            return None
        (rules,) = with_rules([trial], now)
        found = differences([rules], now, people)
        return _write_changes(found, rules.rules, now) if found else Outcome()


def _write_changes(found: list[Difference], rules: Collection[str], now: dt.datetime) -> Outcome:
    """Write the differences between what the rules say and the alerts that are open."""
    people = Participant.objects.select_related("status_summary", "trial").in_bulk(
        {one.participant_id for one in found}
    )
    opened = Alert.objects.filter(pk__in=[one.alert_id for one in found if one.alert_id], resolved_at=None)
    open_by_pk = {alert.pk: alert for alert in opened.order_by("pk").select_for_update(of=("self",))}
    new: dict[tuple[int, str], tuple[int, dict[str, Any]]] = {}
    same: list[tuple[Alert, int, dict[str, Any]]] = []
    gone: list[tuple[Alert, str]] = []
    for difference in found:
        participant = people.get(difference.participant_id)
        summary: ParticipantStatusSummary | None = getattr(participant, "status_summary", None)
        if (summary and summary.updated_at) != difference.updated_at:
            continue  # written meanwhile: the next pass sees all of it
        alert = open_by_pk.get(difference.alert_id or 0)
        if alert is None and difference.alert_id is None:
            key = (difference.participant_id, difference.rule)
            new[key] = (difference.level, _facts(difference.rule, participant))
        elif alert and difference.level:
            same.append((alert, difference.level, _facts(difference.rule, participant)))
        elif alert and (why := _resolution(alert, participant, rules)):
            gone.append((alert, why))
        elif alert:
            same.append((alert, alert.level, alert.facts))  # held as it is
    outcome = Outcome(raised=_raise(new, people, now))
    outcome.worse, outcome.better = _update(same, people, now)
    outcome.resolved = _resolve(gone, now)
    return outcome


def _resolution(alert: Alert, participant: Any, rules: Iterable[str]) -> str:
    """Why an alert whose condition is not true is over; empty: it is held as it is."""
    summary: ParticipantStatusSummary | None = getattr(participant, "status_summary", None)
    if participant is None or participant.status == Participant.Status.ERASED:
        return Resolution.EXCUSED
    if participant.trial.status not in WATCHED or (summary and summary.excused not in ("", Exclusion.PLATFORM)):
        return Resolution.EXCUSED
    if alert.rule not in rules:
        return Resolution.RULE_OFF
    if summary is None or summary.excused or (alert.rule == Rule.NO_UPLOAD and summary.waiting):
        return ""
    return Resolution.RECOVERED


def _iso(instant: dt.datetime | None) -> str | None:
    return instant.astimezone(dt.UTC).isoformat() if instant else None


def _facts(rule: str, participant: Any) -> dict[str, Any]:
    """Facts that a rule saw of a participant, as JSON: instants in UTC, shares rounded to a thousandth."""
    summary: ParticipantStatusSummary = participant.status_summary
    if rule == Rule.NO_UPLOAD:
        return {
            "last_sample_at": _iso(summary.last_sample_at),
            "silent_at": _iso(summary.silent_at),
            "critical_at": _iso(summary.critical_at),
            "overwritten_at": _iso(summary.overwritten_at),
            "cause": summary.cause,
            "cause_since": _iso(summary.cause_since),
        }
    if rule == Rule.RECONNECT:
        code = summary.evidence.get("code", "") if summary.access == Access.DEAD else ""
        return {"access": summary.access, "since": _iso(summary.access_since), "code": code}
    if rule == Rule.NEVER_CONNECTED:
        invited_at = summary.access_since or participant.enrolled_at
        return {"invited_at": _iso(invited_at), "opened_at": summary.evidence.get("opened_at")}
    if rule == Rule.LOW_WEAR:
        shares = {"adherence": summary.adherence, "best": summary.best_adherence, "target": summary.target}
        rounded = {name: None if share is None else round(share, 3) for name, share in shares.items()}
        return {**rounded, "valid": summary.valid_days, "counted": summary.counted_days}
    return {
        "nights": summary.nights_recorded,
        "until": str(summary.day_codes_until) if summary.day_codes_until else None,
    }


def _raise(new: dict[tuple[int, str], tuple[int, dict[str, Any]]], people: Mapping[int, Any], now: dt.datetime) -> int:
    """Open alerts. Whatever else may open one, the database keeps to one for each rule and participant."""
    if not new:
        return 0
    rows = [
        Alert(
            participant_id=pk,
            rule=rule,
            level=level,
            raised_at=now,
            updated_at=now,
            facts=facts,
            compared_with=_summary_of(people, pk),
        )
        for (pk, rule), (level, facts) in new.items()
    ]
    Alert.objects.bulk_create(rows, ignore_conflicts=True, batch_size=BATCH)
    opened = Alert.objects.filter(participant__in={pk for pk, _ in new}, raised_at=now, resolved_at=None)
    raised = [alert for alert in opened if (alert.participant_id, alert.rule) in new]
    _tell([(alert, What.RAISED, alert.get_level_display()) for alert in raised], now)
    return len(raised)


def _update(
    same: list[tuple[Alert, int, dict[str, Any]]], people: Mapping[int, Any], now: dt.datetime
) -> tuple[int, int]:
    """Bring open alerts up to date. Returns how many became worse and how many better."""
    events, worse = [], []
    for alert, level, facts in same:
        alert.compared_with = _summary_of(people, alert.participant_id)
        if alert.level == level and alert.facts == facts:
            continue
        if alert.level != level:
            events.append((alert, What.WORSE if level > alert.level else What.BETTER, ""))
        if level > alert.level:
            worse.append(alert.pk)
        alert.level, alert.facts, alert.updated_at = level, facts, now
    compared = [alert for alert, _, _ in same]
    Alert.objects.bulk_update(compared, ["level", "facts", "updated_at", "compared_with"], batch_size=BATCH)
    if worse:
        Alert.objects.filter(pk__in=worse).exclude(snoozed_until=None).update(snoozed_until=None)
    _tell(events, now)
    return len(worse), len(events) - len(worse)


def _summary_of(people: Mapping[int, Any], pk: int) -> dt.datetime | None:
    """When the status summary of a participant was written."""
    summary: ParticipantStatusSummary | None = getattr(people.get(pk), "status_summary", None)
    return summary.updated_at if summary else None


def _resolve(gone: list[tuple[Alert, str]], now: dt.datetime) -> int:
    by_why: dict[str, list[int]] = {}
    for alert, why in gone:
        by_why.setdefault(why, []).append(alert.pk)
    for why, pks in by_why.items():
        Alert.objects.filter(pk__in=pks).update(resolved_at=now, updated_at=now, resolution=why)
    _tell([(alert, What.RESOLVED, str(Resolution(why).label)) for alert, why in gone], now)
    return len(gone)


def _tell(events: list[tuple[Alert, AlertEvent.What, str]], now: dt.datetime) -> None:
    """Write down what became of alerts."""
    rows = [AlertEvent(alert=alert, at=now, what=what, note=note) for alert, what, note in events]
    AlertEvent.objects.bulk_create(rows, batch_size=BATCH)


def most_urgent_first(alerts: QuerySet[Alert]) -> QuerySet[Alert]:
    """Critical ones, then by the rules' order; of one rule, the oldest first."""
    whens = [When(rule=rule, then=Value(place)) for place, rule in enumerate(ORDER)]
    place = Case(*whens, default=Value(len(ORDER)), output_field=SmallIntegerField())
    return alerts.order_by(F("level").desc(), place, "raised_at", "pk")


def open_alerts(participant: Participant) -> QuerySet[Alert]:
    """A participant's open alerts, snoozed ones too, the most urgent first, with their people and their history."""
    alerts = Alert.objects.filter(participant=participant, resolved_at=None)
    return most_urgent_first(alerts.select_related("acknowledged_by", "assigned_to").prefetch_related("events__by"))
