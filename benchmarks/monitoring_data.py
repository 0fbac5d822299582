"""A trial as its monitoring pages read it: day status, status summaries, rollups, gaps, alerts of N people over D days.

    python -m benchmarks.monitoring_data CODE [--participants 200] [--days 120] [--member manager@example.org]

puts a synthetic trial into the database of DATABASE_URL, to look at the pages with; the benchmarks call `fill`.
Nothing passes through the writer or the evaluation: see benchmarks.courses for what is invented.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from benchmarks import monitoring_rows
from benchmarks.bench import SOURCE

SITES = (
    ("NORTH", "North clinic"),
    ("HARBOUR", "Harbour"),
    ("RIVER", "Riverside rehabilitation centre, outpatients"),
    ("OLD", "Old Town"),
    ("WEST", "West hospital"),
    ("LAKE", "Lakeside"),
)
ZONES = ("Europe/Amsterdam",) * 8 + ("Europe/London", "America/New_York")
PARTS = 250  # people at a time, so that memory does not grow with the trial


def fill(
    code: str, participants: int, days: int, *, now: dt.datetime, seed: int = 1, kind: str = "", rollups: bool = True
) -> Any:
    """Make the trial and return it. `kind`: everybody follows this course of benchmarks.courses; else a realistic mix.

    Sites, arms, zones and devices vary. The same arguments give the same trial.
    """
    from benchmarks import courses
    from metrics.models import Source
    from participants.models import Participant, Site
    from participants.services import trial_create

    zone = ZoneInfo("Europe/Amsterdam")
    start = now.astimezone(zone).date() - dt.timedelta(days=days - 1)
    ends_in = max(days // 2, 30)
    trial = trial_create(
        code=code,
        title="Walking after knee replacement",
        time_zone=zone.key,
        is_demo=True,
        status="running",
        starts_on=start,
        ends_on=start + dt.timedelta(days=days + ends_in),
    )
    sites = Site.objects.bulk_create([Site(trial=trial, code=c, name=name) for c, name in SITES])
    source, _ = Source.objects.get_or_create(
        provider=SOURCE.provider, platform="", device_model=SOURCE.device_model, synthetic=True
    )
    rng = np.random.default_rng(seed)
    kinds = [kind] * participants if kind else list(rng.choice(list(courses.KINDS), participants, p=_shares()))
    for begin in range(0, participants, PARTS):
        made, people = [], []
        for i in range(begin, min(begin + PARTS, participants)):
            zone_name = ZONES[int(rng.integers(len(ZONES)))]
            c = courses.course(rng, kinds[i], days=days, now=now, zone=ZoneInfo(zone_name), ends_in=ends_in)
            people.append(_participant(Participant, trial, sites[int(rng.integers(len(sites)))], i, zone_name, c))
            made.append(c)
        Participant.objects.bulk_create(people)
        _store(rng, people, made, source.pk, now, rollups)
    _analyse()
    return trial


def _shares() -> list[float]:
    from benchmarks import courses

    total = sum(courses.KINDS.values())
    return [count / total for count in courses.KINDS.values()]


def _participant(model: Any, trial: Any, site: Any, number: int, zone: str, made: Any) -> Any:
    status = {"unconnected": "invited", "paused": "paused", "withdrawn": "withdrawn", "completed": "completed"}
    excused_days = int((made.reason == "withdrawn").sum())
    return model(
        trial=trial,
        site=site,
        study_id=f"AX-{number + 1:04d}",
        time_zone=zone,
        status=status.get(made.kind, "active"),
        monitoring_starts_on=made.first,
        monitoring_ends_on=made.ends_on,
        withdrawn_on=made.today - dt.timedelta(days=excused_days - 1) if excused_days else None,
        arm="AB"[number % 2],
    )


def _store(rng: Any, people: list[Any], made: list[Any], source: int, now: dt.datetime, rollups: bool) -> None:
    from metrics.models import Gap, ParticipantDay, ParticipantStatusSummary

    pairs = list(zip(people, made, strict=True))
    monitoring_rows.copy_lines(
        ParticipantDay,
        monitoring_rows.DAY_COLUMNS,
        (line for participant, c in pairs for line in monitoring_rows.days(rng, participant, c, now)),
    )
    if rollups:
        monitoring_rows.copy_rollups(rng, pairs, source)
    ParticipantStatusSummary.objects.bulk_create(
        [monitoring_rows.status_summary(rng, participant, c, now) for participant, c in pairs]
    )
    Gap.objects.bulk_create(
        [gap for participant, c in pairs for gap in monitoring_rows.gaps(rng, participant, c, now)], batch_size=2000
    )
    monitoring_rows.alerts(pairs, now)


def _analyse() -> None:
    """Statistics and the visibility map, as autovacuum would have brought them on a server that has run for a day."""
    from django.db import connection

    from dashboards.models import Alert
    from metrics.models import DayRollup, Gap, ParticipantDay, ParticipantStatusSummary
    from participants.models import Participant

    with connection.cursor() as cursor:
        for model in (Participant, ParticipantStatusSummary, ParticipantDay, DayRollup, Gap, Alert):
            cursor.execute(f"ANALYZE {model._meta.db_table}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("code")
    arguments.add_argument("--participants", type=int, default=200)
    arguments.add_argument("--days", type=int, default=120)
    arguments.add_argument("--kind", default="", help="everybody follows this course of benchmarks.courses")
    arguments.add_argument("--member", default="", help="e-mail address of a user who becomes the trial's manager")
    given = arguments.parse_args()
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from participants.models import Membership, User

    trial = fill(given.code, given.participants, given.days, now=dt.datetime.now(dt.UTC), kind=given.kind)
    if given.member:
        user, _ = User.objects.get_or_create(email=given.member)
        Membership.objects.create(user=user, trial=trial, role=Membership.Role.MANAGER)
    print(f"{trial.code}: {given.participants:,} participants x {given.days} days")


if __name__ == "__main__":
    main()
