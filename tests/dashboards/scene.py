"""A participant's page with everything on it: days of synthetic data, gaps of several causes, history and notes.

Like measured.py, but rich: what the evaluation, the rules and the staff would have made of them is written as rows.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np

from dashboards.models import Alert, AlertEvent, Note, Outreach
from ingestion.models import Connection, ConnectionEvent, Device
from ingestion.providers.base.synthetic import SyntheticParticipant
from ingestion.providers.synthetic import days as synthetic
from ingestion.providers.synthetic.profiles import STORIES, Story, profile_of
from metrics.batch import Payload, SampleBatch, microseconds
from metrics.models import Access, Cause, DayStatus, Gap, ParticipantDay, ParticipantStatusSummary
from metrics.writing import writer
from participants.models import Participant, User
from participants.user_input import midnight

# Days before today, start and end on that day's clock (None: the day's end), cause, evidence.
GAPS: tuple[tuple[int, str, str | None, Cause, dict[str, object]], ...] = (
    (0, "06:02", None, Cause.NOT_SYNCED, {"battery_percent": 64}),
    (1, "21:40", None, Cause.OFF_WRIST, {"zero_step_minutes": 140}),
    (0, "00:00", "06:02", Cause.OFF_WRIST, {"zero_step_minutes": 362}),
    (3, "08:30", "22:30", Cause.OFF_WRIST, {"zero_step_minutes": 840}),
    (4, "02:10", "05:40", Cause.PLATFORM, {"code": "http_503"}),
    (5, "02:10", "12:20", Cause.BATTERY_FLAT, {"battery_percent": 2, "falling_per_day": 9}),
    (2, "13:00", "13:50", Cause.OFF_WRIST, {"zero_step_minutes": 50}),
)


def at(today: dt.date, ago: int, clock: str | None, zone: ZoneInfo) -> dt.datetime:
    """A clock time so many days before today; None: the end of that day."""
    if clock is None:
        return midnight(today - dt.timedelta(days=ago - 1), zone)
    return dt.datetime.combine(today - dt.timedelta(days=ago), dt.time.fromisoformat(clock), zone)


def without(payload: Payload, spans: list[tuple[dt.datetime, dt.datetime]]) -> Payload:
    """The payload without the heart rates and steps that fall into the spans."""
    kept = []
    for batch in payload.samples:
        if batch.metric not in ("heart_rate", "steps"):
            kept.append(batch)
            continue
        inside = np.zeros(len(batch.time), dtype=bool)
        for a, b in spans:
            inside |= (batch.time >= microseconds(a)) & (batch.time < microseconds(b))
        seconds = None if batch.seconds is None else batch.seconds[~inside]
        if not inside.all():
            kept.append(SampleBatch(batch.metric, batch.source, batch.time[~inside], batch.value[~inside], seconds))
    nights = [n for n in payload.sleep if not any(a < n.ends_at and b > n.starts_at for a, b in spans)]
    return replace(payload, samples=kept, sleep=nights)


def set_scene(participant: Participant, now: dt.datetime, *, days: int = 8, by: User | None = None) -> Participant:
    """Store the data and rows of so many days that end today. The trial must be a demo: the data are synthetic."""
    zone = ZoneInfo(participant.time_zone)
    today = now.astimezone(zone).date()
    participant.monitoring_starts_on = today - dt.timedelta(days=86)
    participant.monitoring_ends_on = today + dt.timedelta(days=73)
    participant.arm = "A"
    participant.save()
    spans = [
        (at(today, ago, start, zone), at(today, ago, end, zone), cause, facts) for ago, start, end, cause, facts in GAPS
    ]
    profile = profile_of(
        SyntheticParticipant("charge_6", 5, STORIES.index(Story.WELL) + 1, zone, today - dt.timedelta(days=200))
    )
    for ago in range(days - 1, -1, -1):
        made = synthetic.day(profile, today - dt.timedelta(days=ago), until=min(now, at(today, ago, None, zone)))
        writer.store(participant, without(made, [(a, b) for a, b, _, _ in spans]))
    # The evaluation has seen the data alone; what this scene is about is said here.
    Gap.objects.filter(participant=participant).delete()
    ParticipantStatusSummary.objects.filter(participant=participant).delete()
    for a, b, cause, facts in spans:
        if (today - a.astimezone(zone).date()).days < days:
            date = a.astimezone(zone).date()
            Gap.objects.create(
                participant=participant, date=date, starts_at=a, ends_at=b, cause=cause, evidence=facts, known_at=now
            )
    _evaluate(participant, today, now)
    _history(participant, now, by)
    return participant


def _evaluate(participant: Participant, today: dt.date, now: dt.datetime) -> None:
    first = ParticipantDay.objects.filter(participant=participant, worn_minutes__gt=0).earliest("date").date
    ParticipantDay.objects.filter(participant=participant, date__lt=first).delete()
    for day in ParticipantDay.objects.filter(participant=participant):
        valid = day.worn_minutes >= 600
        status = DayStatus.VALID if valid else DayStatus.PENDING if day.date == today else DayStatus.INVALID
        ParticipantDay.objects.filter(participant=participant, date=day.date).update(
            status=status, reason="", known_at=now, protocol_version=1
        )
    ParticipantStatusSummary.objects.create(
        participant=participant,
        updated_at=now,
        valid_days=57,
        counted_days=86,
        adherence=57 / 86,
        best_adherence=0.82,
        low_wear=True,
        nights_recorded=5,
        last_sample_at=now - dt.timedelta(hours=3),
        arrived_at=now - dt.timedelta(hours=3),
        silent_at=now + dt.timedelta(hours=45),
        critical_at=now + dt.timedelta(hours=117),
        overwritten_at=now + dt.timedelta(hours=165),
        access=Access.OK,
        cause=Cause.OFF_WRIST,
        cause_since=now - dt.timedelta(hours=11, minutes=32),
        evidence={"zero_step_minutes": 502},
        device_model="Charge 6",
        battery_percent=64,
        battery_at=now - dt.timedelta(hours=3),
    )


def _history(participant: Participant, now: dt.datetime, by: User | None) -> None:
    ago = dt.timedelta
    link = Connection.objects.create(
        participant=participant,
        trial=participant.trial,
        provider="somewhere",
        status=Connection.Status.ACTIVE,
        connected_at=now - ago(days=87),
        last_pull_at=now - ago(minutes=12),
        last_data_at=now - ago(hours=3),
    )
    ConnectionEvent.objects.create(connection=link, at=now - ago(days=87), status="active", reason="connected")
    synced = now - ago(hours=3)
    Device.objects.create(
        connection=link, external_id="1", model="Charge 6", battery_percent=64, last_sync_at=synced, seen_at=synced
    )
    Device.objects.create(connection=link, external_id="2", model="Inspire 3", seen_at=now - ago(days=53))
    low = Alert.objects.create(
        participant=participant,
        rule="low_wear",
        level=1,
        raised_at=now - ago(days=12),
        updated_at=now,
        facts={"adherence": 57 / 86, "best": 0.82, "target": 0.7},
    )
    AlertEvent.objects.create(alert=low, at=now - ago(days=12), what="raised")
    gone = now - ago(days=14)
    Alert.objects.create(
        participant=participant,
        rule="no_upload",
        level=1,
        raised_at=gone,
        updated_at=gone,
        resolved_at=gone + ago(hours=6),
        resolution="recovered",
    )
    written(participant, now - ago(days=3), "Please wear your Fitbit", by=by, back=ago(hours=4, minutes=25))
    written(participant, now - ago(days=21), "charger lost, new one posted", kind="call", by=by, back=ago(days=3))
    for number in range(6):
        written(participant, now - ago(days=30 + number), f"Reminder {number + 1}", by=by, back=ago(hours=2))
    Note.objects.create(
        participant=participant, at=now - ago(days=4), by=by, text="Takes the watch off for night shifts."
    )
    Note.objects.create(participant=participant, at=now - ago(days=18), by=by, text="New charger arrived.")


def written(
    participant: Participant,
    sent: dt.datetime,
    title: str,
    *,
    kind: str = "email",
    by: User | None = None,
    back: dt.timedelta | None = None,
) -> Outreach:
    """An e-mail or a call, and when data came back."""
    return Outreach.objects.create(
        participant=participant,
        kind=kind,
        title=title,
        reason="off the wrist",
        by=by,
        created_at=sent,
        send_after=sent,
        sent_at=sent,
        state="sent",
        state_at=sent,
        back_at=sent + back if back else None,
    )
