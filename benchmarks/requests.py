"""Cost of a participant-week in requests, by how long they have been monitored.

    python -m benchmarks.requests [--days 30 180 365]

Counted from the plans that the product makes, without a vendor: the hourly passes of a week, one of them a sweep, for
one participant who wears the device day and night. Heart rates are grouped as dense as they were seen (500 an hour).
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
from collections import Counter

from benchmarks import bench

WEEK = 7 * 24  # passes
QUOTA = 120_000 * 60 * 24 * 7  # a week, of the project
PEOPLE = 1000


def requests_of(days: int) -> Counter[str]:
    """Requests of a week by what they are for. Needs a database; what is made in it is rolled back."""
    from django.db import transaction
    from django.utils import timezone

    from ingestion import live_providers
    from ingestion.models import Connection
    from ingestion.sync import claims, planning
    from participants.services import participant_enrol, trial_create

    now, counts = timezone.now(), Counter[str]()
    provider = live_providers.provider("google_health")
    with transaction.atomic():
        trial = trial_create(code=f"R{days}", title="Requests", is_demo=True, status="running", time_zone="UTC")
        participant = participant_enrol(
            trial=trial,
            study_id="R-1",
            status="active",
            monitoring_starts_on=now.date() - dt.timedelta(days),
            time_zone="UTC",
        )
        connection = Connection.objects.create(
            participant=participant,
            trial=trial,
            provider="google_health",
            status="active",
            scopes=list(provider.scopes),
            connected_at=now - dt.timedelta(days),
            last_pull_at=now,
            swept_at=now - dt.timedelta(days=7),
        )
        points = {"heart-rate": 500, "total-calories": 1440, "steps": 700, "distance": 900, "active-zone-minutes": 50}
        for n in range(WEEK):
            at = now + n * dt.timedelta(hours=1)
            connection.last_pull_at = at
            planning.plan_pass(connection, at)
            counts["devices"] += 1
            while windows := claims.claim(connection, at):
                for group in claims.groups(windows, provider, points):
                    counts["sweep" if group[0].reason in ("history", "sweep") else "passes"] += 1
                claims.held(windows).update(state="done", attempts=0)
        transaction.set_rollback(True)
    return counts


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--days", type=int, nargs="+", default=[30, 180, 365])
    given = arguments.parse_args()
    # A vendor must be set up; it is not asked.
    os.environ |= {"GOOGLE_SIMULATOR_URL": "http://127.0.0.1:9", "TOKEN_KEYS": "benchmarks-only-" + "y" * 50}
    with bench.database():
        rows = []
        for days in given.days:
            counts = requests_of(days)
            total = sum(counts.values())
            share = PEOPLE * total / QUOTA
            numbers = [f"{counts[name]:,}" for name in ("passes", "devices", "sweep")]
            rows.append([f"{days:,}", *numbers, f"{total:,}", f"{share:.2%}"])
        heads = ["days monitored", "passes", "devices", "sweep", "in all", f"of the quota, {PEOPLE:,} participants"]
        bench.table("Requests a participant-week", heads, rows)


if __name__ == "__main__":
    main()
