"""Rows of participants whose courses are invented: days, rollups, status summaries, gaps and alerts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

MODELS = ("Charge 6", "Inspire 3", "Sense 2", "Pixel Watch 3")
# Metric id -> mean, spread and whether its day is one value: heart rate, steps, and what the nights bring.
DAILY = {
    1: (74, 6, False),
    2: (7400, 2600, False),
    10: (62, 4, True),
    9: (15, 1.2, True),
    26: (96, 0.8, True),
    27: (38, 9, True),
}
DAY_COLUMNS = (
    "participant_id, date, status, reason, known_at, protocol_version, day_minutes, worn_minutes, fault_minutes, "
    "asleep_minutes, coverage, last_sample_at, updated_at"
)
ROLLUP_COLUMNS = "participant_id, metric_id, source_id, date, minutes, n, total, low, high"
MINUTES_OF_FAULT = 900


def days(rng: Any, participant: Any, c: Any, now: dt.datetime) -> Iterator[str]:
    """A line of COPY for each day."""
    stamp, nights = now.isoformat(), rng.normal(425, 45, len(c.worn)).clip(200, 620).astype(int)
    for i in range(len(c.worn)):
        date = c.first + dt.timedelta(days=i)
        worn, pending = int(c.worn[i]), c.status[i] == "p"
        known = "\\N" if pending else f"{min(date + dt.timedelta(days=1), c.today)}T06:00:00+00:00"
        asleep = int(nights[i]) if c.nights[i] == "n" else "\\N"
        fault = MINUTES_OF_FAULT if c.reason[i] == "platform" else 0
        coverage = f'{{"heart_rate": {worn}, "steps": {worn}, "resting_heart_rate": {int(worn > 0)}}}' if worn else "{}"
        last = f"{date}T20:00:00+00:00" if worn else "\\N"
        yield (
            f"{participant.pk}\t{date}\t{c.status[i]}\t{c.reason[i]}\t{known}\t1\t1440\t{worn}\t{fault}\t{asleep}\t"
            f"{coverage}\t{last}\t{stamp}\n"
        )


def copy_lines(model: Any, columns: str, lines: Iterable[str]) -> None:
    """Write these lines of COPY into the model's table."""
    from django.db import connection

    with connection.cursor() as cursor, cursor.copy(f"COPY {model._meta.db_table} ({columns}) FROM STDIN") as copy:
        part: list[str] = []
        for line in lines:
            part.append(line)
            if len(part) == 5000:
                copy.write("".join(part))
                part.clear()
        copy.write("".join(part))


def copy_rollups(rng: Any, pairs: list[Any], source: int) -> None:
    """Each metric's days with wear, as arrays."""
    from django.db import connection

    from metrics.models import DayRollup
    from metrics.writing.binary_copy import copy_columns

    epoch = dt.date(2000, 1, 1)
    people = np.concatenate([np.full(int((c.worn > 0).sum()), p.pk, np.int32) for p, c in pairs])
    days = np.concatenate([(c.first - epoch).days + np.flatnonzero(c.worn > 0) for _, c in pairs]).astype(np.int32)
    worn = np.concatenate([c.worn[c.worn > 0] for _, c in pairs])
    if not len(people):
        return
    statement = f"COPY {DayRollup._meta.db_table} ({ROLLUP_COLUMNS}) FROM STDIN (FORMAT BINARY)"
    for metric, (mean, spread, once) in DAILY.items():
        value = rng.normal(mean, spread, len(people)).clip(mean / 10)
        n = np.ones(len(people), np.int32) if once else worn.astype(np.int32)
        scale = worn if metric == 1 else np.ones(len(people))
        columns = [
            ("participant", people),
            ("metric", np.int16(metric)),
            ("source", np.int16(source)),
            ("date", days),
            ("minutes", n.astype(np.int16)),
            ("n", n),
            ("total", value * scale),
            ("low", value * (1 if once else 0.7)),
            ("high", value * (1 if once else 1.6)),
        ]
        with connection.cursor() as cursor:
            copy_columns(cursor, statement, columns)


def status_summary(rng: Any, participant: Any, c: Any, now: dt.datetime) -> Any:
    """Status summary of a participant, counted from their days."""
    from benchmarks import courses
    from metrics.models import DayStatus, ParticipantStatusSummary

    valid, pending = c.count(DayStatus.VALID), c.count(DayStatus.PENDING)
    lost, excluded = c.count(DayStatus.LOST), c.count(DayStatus.EXCLUDED)
    counted = len(c.status) - pending - excluded
    remaining = max((c.ends_on - c.today).days, 0) if c.ends_on else None
    open_days = pending + (remaining or 0)
    adherence = valid / counted if counted else None
    best = (valid + open_days) / (counted + open_days) if counted + open_days else None
    nights = "".join(c.nights)
    recent = int((c.nights[-7:] == "n").sum()) if len(nights) >= 7 and c.kind != "unconnected" else None
    counts = np.isin(c.status, ["v", "i", "l"])
    last, facts = c.last_sample_at, c.facts
    excused = {"paused": "paused", "withdrawn": "withdrawn", "completed": "after_end"}.get(c.kind, "")
    tired = c.kind == "low_sleep" and recent is not None
    excused_since = c.today - dt.timedelta(days=max(int((c.reason == excused).sum()) - 1, 0)) if excused else None
    battery = facts.get("battery_percent", int(rng.integers(15, 100)) if last else None)
    return ParticipantStatusSummary(
        participant=participant,
        updated_at=now,
        day_codes_from=c.first,
        day_codes_until=c.today,
        day_codes=c.day_codes,
        nights=nights,
        valid_days=valid,
        counted_days=counted,
        pending_days=pending,
        lost_days=lost,
        excluded_days=excluded,
        remaining_days=remaining,
        adherence=adherence,
        best_adherence=best,
        worn_share=float(c.worn[counts].sum() / (counts.sum() * 1440)) if counts.any() else None,
        target=courses.TARGET,
        low_wear=adherence is not None and adherence < courses.TARGET,
        out_of_reach=best is not None and best < courses.TARGET,
        nights_recorded=recent,
        low_sleep=(1 if recent >= 3 else 2) if tired and recent is not None and recent < 5 else 0,
        last_sample_at=last,
        arrived_at=last + dt.timedelta(minutes=6) if last else None,
        silent_at=last + dt.timedelta(hours=48) if last else None,
        critical_at=last + dt.timedelta(hours=120) if last else None,
        overwritten_at=last + dt.timedelta(hours=168) if last else None,
        access=courses.access(c.kind),
        access_since=c.cause_since if c.kind in ("dead", "partial", "unconnected") else None,
        excused=excused,
        excused_since=excused_since,
        excused_until=c.today + dt.timedelta(days=9) if c.kind == "paused" else None,
        waiting=c.kind == "waiting",
        cause=c.cause,
        cause_since=c.cause_since,
        evidence=facts,
        device_model=MODELS[int(rng.integers(len(MODELS)))] if last else "",
        battery_percent=battery,
        battery_at=last,
        device_sync_at=last,
        protocol_version=1,
    )


def gaps(rng: Any, participant: Any, c: Any, now: dt.datetime) -> Iterator[Any]:
    """Missing intervals of the last sixty days: taken off on bad days, silence since the newest sample."""
    from metrics.models import Gap

    zone = ZoneInfo(participant.time_zone)
    for i in range(max(0, len(c.worn) - 60), len(c.worn)):
        date = c.first + dt.timedelta(days=i)
        if c.status[i] not in "ipl" or (c.status[i] == "p" and not c.cause):
            continue
        midnight = dt.datetime.combine(date, dt.time(), zone).astimezone(dt.UTC)
        end = dt.datetime.combine(date + dt.timedelta(days=1), dt.time(), zone).astimezone(dt.UTC)
        off = midnight + dt.timedelta(minutes=int(c.worn[i]))
        if c.status[i] == "i":
            flat = off + dt.timedelta(minutes=int(rng.integers(60, 300)))
            both = [(off, flat, "battery_flat"), (flat, end, "off_wrist")] if rng.random() < 0.3 else []
            intervals = both or [(off, end, "off_wrist")]
        else:
            intervals = [(off, end, c.cause or "unknown")]
        for starts_at, ends_at, cause in intervals:
            if starts_at < ends_at:
                yield Gap(
                    participant=participant,
                    date=date,
                    starts_at=starts_at,
                    ends_at=ends_at,
                    cause=cause,
                    evidence=c.facts if cause == c.cause else {},
                    known_at=min(ends_at, now),
                )


def alerts(pairs: list[Any], now: dt.datetime) -> None:
    """An open alert for whoever needs somebody, raised when it turned true."""
    from dashboards.models import Alert, AlertEvent

    rules = {
        "unconnected": ("never_connected", 1),
        "dead": ("reconnect", 1),
        "partial": ("reconnect", 1),
        "silent": ("no_upload", 1),
        "flat": ("no_upload", 1),
        "critical": ("no_upload", 2),
        "low_wear": ("low_wear", 1),
        "out_of_reach": ("low_wear", 2),
        "low_sleep": ("low_sleep", 1),
    }
    made = [
        Alert(participant=participant, rule=rules[c.kind][0], level=rules[c.kind][1], raised_at=at, updated_at=now)
        for participant, c in pairs
        if c.kind in rules
        for at in [_raised(c, participant.pk, now)]
    ]
    Alert.objects.bulk_create(made)
    AlertEvent.objects.bulk_create([AlertEvent(alert=alert, at=alert.raised_at, what="raised") for alert in made])


def _raised(c: Any, number: int, now: dt.datetime) -> dt.datetime:
    if c.last_sample_at and c.kind in ("silent", "flat", "critical"):
        last: dt.datetime = c.last_sample_at
        return last + dt.timedelta(hours=120 if c.kind == "critical" else 48)
    return now - dt.timedelta(hours=number * 7 % 96 + 1)
