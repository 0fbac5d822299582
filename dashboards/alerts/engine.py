"""The protocol's rules watch a trial's participants: they raise, update and resolve alerts, one for each rule.

A pass over a trial takes a handful of statements, whatever its size, and is safe to repeat: it compares what the
participants' status summaries say now with the alerts that are open, and writes the difference. Facts hold instants,
not durations, so an alert whose facts have not changed is not touched.

- Nobody who is excused (paused, withdrawn, before the start or after the end) gets an alert; open ones are resolved.
- While data are missing through a fault of ours or the vendor's, "no upload" is held: neither raised nor made worse,
  nor resolved, or an hour's outage would take away what people have acknowledged.
- Days that were counted anew by other plausible ranges (metrics.reevaluation.range_change) are no news: the low wear
that comes of that raises nothing and makes nothing worse, until adherence falls further.
- What was acknowledged stays so until it is resolved. Becoming critical ends a snooze.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, SmallIntegerField, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from dashboards.models import Alert, AlertEvent
from metrics.models import Access, Exclusion, ParticipantStatusSummary
from metrics.monitoring.status import AttentionStatus, conditions
from participants.models import Participant, Protocol, Trial, User

Rule, Level, What, Resolution = Alert.Rule, Alert.Level, AlertEvent.What, Alert.Resolution
WATCHED = (Trial.Status.RECRUITING, Trial.Status.RUNNING)
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


def trials_to_watch() -> list[int]:
    """Trials whose participants are monitored, and others in which alerts are still open: those are resolved."""
    left = Exists(Alert.objects.filter(participant__trial=OuterRef("pk"), resolved_at=None))
    return list(Trial.objects.filter(Q(status__in=WATCHED) | left).order_by("pk").values_list("pk", flat=True))


def watch(trial_id: int, now: dt.datetime) -> Outcome | None:
    """Bring a trial's alerts in line with how its participants stand. None: another worker is at it, or no trial.

    The trial's row is the lock: a second pass would find nothing to do, so it does not wait.
    """
    with transaction.atomic():
        locked = Trial.objects.select_for_update(no_key=True, skip_locked=True)
        trial = locked.filter(pk=trial_id).first()
        if trial is None:
            return None
        rules = _rules(trial, now)
        people = _people(trial, rules, now)
        opened = list(
            Alert.objects.filter(participant__trial=trial, resolved_at=None)
            .order_by("pk")
            .select_for_update(of=("self",))
        )
        return _write_changes(people, opened, rules, now)


def _rules(trial: Trial, now: dt.datetime) -> dict[str, tuple[Q, Q | None]]:
    """The rules of the protocol in force: what raises each, and what makes it critical. None where nothing watches."""
    today = now.astimezone(ZoneInfo(trial.time_zone)).date()
    protocol = Protocol.objects.filter(trial=trial).in_force(today).first()
    if protocol is None or trial.status not in WATCHED:
        return {}
    true = conditions(now)
    overdue = Q(invited_since__lte=now - dt.timedelta(hours=protocol.never_connected_hours))
    known: dict[str, tuple[Q, Q | None]] = {
        Rule.NO_UPLOAD: (
            true[AttentionStatus.SILENT] | true[AttentionStatus.CRITICAL],
            true[AttentionStatus.CRITICAL],
        ),
        Rule.RECONNECT: (true[AttentionStatus.RECONNECT], None),
        Rule.NEVER_CONNECTED: (true[AttentionStatus.UNCONNECTED] & overdue, None),
        # Who never connected has an alert of that; that they wore nothing is no news beside it.
        Rule.LOW_WEAR: (
            true[AttentionStatus.LOW_WEAR] & ~true[AttentionStatus.UNCONNECTED],
            Q(status_summary__out_of_reach=True),
        ),
        Rule.LOW_SLEEP: (true[AttentionStatus.LOW_SLEEP], Q(status_summary__low_sleep__gte=2)),
    }
    return {rule: pair for rule, pair in known.items() if rule in protocol.alert_rules}


def _people(trial: Trial, rules: dict[str, tuple[Q, Q | None]], now: dt.datetime) -> dict[int, Any]:
    """Participants of whom a rule is true or an alert is open, with a level for each rule (0: not true). One query."""
    levels = {}
    for rule, (raising, critical) in rules.items():
        whens = [When(raising & critical, then=Value(Level.CRITICAL.value))] if critical is not None else []
        whens.append(When(raising, then=Value(Level.WARN.value)))
        levels[f"level_{rule}"] = Case(*whens, default=Value(0), output_field=SmallIntegerField())
    any_rule = Q(Exists(Alert.objects.filter(participant=OuterRef("pk"), resolved_at=None)))
    for name in levels:
        any_rule |= Q(**{f"{name}__gt": 0})
    people = (
        Participant.objects.filter(trial=trial)
        .order_by()
        .annotate(invited_since=Coalesce("status_summary__access_since", "enrolled_at"))
        .annotate(**levels)
        .filter(any_rule)
        .select_related("status_summary", "trial")
    )
    return {participant.pk: participant for participant in people}


def _write_changes(
    people: dict[int, Any], opened: list[Alert], rules: dict[str, tuple[Q, Q | None]], now: dt.datetime
) -> Outcome:
    """Write the difference between what the rules say of these people and the alerts that are open."""
    open_by_key = {(alert.participant_id, alert.rule): alert for alert in opened}
    due = {
        (pk, rule): (level, _facts(rule, participant))
        for pk, participant in people.items()
        if participant.status != Participant.Status.ERASED
        for rule in rules
        if (level := _level(participant, rule, open_by_key.get((pk, rule))))
    }
    outcome = Outcome(raised=_raise({k: v for k, v in due.items() if k not in open_by_key}, now))
    same = {key: alert for key, alert in open_by_key.items() if key in due}
    outcome.worse, outcome.better = _update([(alert, *due[key]) for key, alert in same.items()], now)
    gone = [
        (alert, why)
        for key, alert in open_by_key.items()
        if key not in due and (why := _resolution(alert, people.get(alert.participant_id), rules))
    ]
    outcome.resolved = _resolve(gone, now)
    return outcome


def _level(participant: Any, rule: str, opened: Alert | None) -> int:
    """A rule's level of a participant; 0: it is not true, or no news. Low wear that comes of days being counted anew
    neither raises an alert nor makes one worse."""
    level: int = getattr(participant, f"level_{rule}")
    if level and rule == Rule.LOW_WEAR and participant.status_summary.recounted:
        return min(level, opened.level if opened else 0)
    return level


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
        return {"invited_at": _iso(participant.invited_since), "opened_at": summary.evidence.get("opened_at")}
    if rule == Rule.LOW_WEAR:
        shares = {"adherence": summary.adherence, "best": summary.best_adherence, "target": summary.target}
        rounded = {name: None if share is None else round(share, 3) for name, share in shares.items()}
        return {**rounded, "valid": summary.valid_days, "counted": summary.counted_days}
    return {
        "nights": summary.nights_recorded,
        "until": str(summary.day_codes_until) if summary.day_codes_until else None,
    }


def _raise(new: dict[tuple[int, str], tuple[int, dict[str, Any]]], now: dt.datetime) -> int:
    """Open alerts. Whatever else may open one, the database keeps to one for each rule and participant."""
    if not new:
        return 0
    rows = [
        Alert(participant_id=pk, rule=rule, level=level, raised_at=now, updated_at=now, facts=facts)
        for (pk, rule), (level, facts) in new.items()
    ]
    Alert.objects.bulk_create(rows, ignore_conflicts=True, batch_size=BATCH)
    people = {pk for pk, _ in new}
    opened = Alert.objects.filter(participant__in=people, raised_at=now, resolved_at=None)
    raised = [alert for alert in opened if (alert.participant_id, alert.rule) in new]
    _tell([(alert, What.RAISED, alert.get_level_display()) for alert in raised], now)
    return len(raised)


def _update(same: list[tuple[Alert, int, dict[str, Any]]], now: dt.datetime) -> tuple[int, int]:
    """Bring open alerts up to date. Returns how many became worse and how many better."""
    changed, events, worse = [], [], []
    for alert, level, facts in same:
        if alert.level == level and alert.facts == facts:
            continue
        if alert.level != level:
            events.append((alert, What.WORSE if level > alert.level else What.BETTER, ""))
        if level > alert.level:
            worse.append(alert.pk)
        alert.level, alert.facts, alert.updated_at = level, facts, now
        changed.append(alert)
    if changed:
        Alert.objects.bulk_update(changed, ["level", "facts", "updated_at"], batch_size=BATCH)
    if worse:
        Alert.objects.filter(pk__in=worse).exclude(snoozed_until=None).update(snoozed_until=None)
    _tell(events, now)
    return len(worse), len(events) - len(worse)


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


def awake(now: dt.datetime) -> Q:
    """Alerts that are open and not snoozed at an instant."""
    return Q(resolved_at=None) & (Q(snoozed_until=None) | Q(snoozed_until__lte=now))


def open_alerts(participant: Participant) -> QuerySet[Alert]:
    """A participant's open alerts, snoozed ones too, the most urgent first, with their people and their history."""
    alerts = Alert.objects.filter(participant=participant, resolved_at=None)
    return most_urgent_first(alerts.select_related("acknowledged_by", "assigned_to").prefetch_related("events__by"))


def open_count(trial: Trial, user: User, now: dt.datetime | None = None) -> int:
    """Number of open alerts, of participants whom the user may see, neither acknowledged nor snoozed. One query."""
    people = Participant.objects.visible_to(user).filter(trial=trial)
    return Alert.objects.filter(awake(now or timezone.now()), participant__in=people, acknowledged_at=None).count()
