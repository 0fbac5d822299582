"""Does everything arrive, once and right, while the vendor misbehaves and workers are killed?

    python -m benchmarks.storm [--minutes 10] [--participants 50] [--days 3] [--held-weeks 3]

The simulator plays its storm: refusals, truncated answers, ties at page borders, tokens that run out or are revoked,
restated hours, notices that come twice, late or forged. Workers are killed (SIGKILL) at random and started again; who
was revoked connects anew. Then the simulated clock is stopped, the faults end, one more pass is made, and the store is
compared with the ground truth row for row.

With --held-weeks nobody's phone has uploaded anything for so long when they connect, all of it comes in the middle of
the storm, and there are no notices: what was answered empty must be asked for again. A short form, some minutes:

    python -m benchmarks.storm --held-weeks 3 --participants 3 --minutes 1
"""

from __future__ import annotations

import argparse
import datetime as dt
import random
import signal
import time
from collections import Counter
from typing import Any

from benchmarks import bench, stack
from config.embedded.processes import Child

QUICK = {
    "SYNC_RETRY_SECONDS": "2",
    "SYNC_CLAIM_MINUTES": "0.5",
    "SYNC_EVERY_MINUTES": "1",
    "SYNC_JITTER_MINUTES": "1",
    "VENDOR_TIMEOUT_SECONDS": "10",
    "LOG_LEVEL": "WARNING",
}
TICK = 5.0  # seconds


def states() -> Counter[str]:
    from ingestion.models import SyncWindow

    return Counter(SyncWindow.objects.values_list("state", flat=True))


def reconnect(made: stack.Stack) -> int:
    """Participants whose grant was lost consent again, as if they had followed their links."""
    from django.utils import timezone

    from ingestion import live_providers
    from ingestion.connections import services as connections_services
    from ingestion.models import Connection
    from ingestion.providers.base.errors import VendorError
    from ingestion.providers.base.live import Grant

    count = 0
    lost = Connection.objects.filter(status=Connection.Status.RECONNECT).select_related("participant__trial")
    for connection in lost:
        tokens = stack.grant(made, connection.external_user_id, Grant)
        provider = live_providers.provider(connection.provider)
        try:
            connections_services.connect(
                participant=connection.participant, provider=provider, grant=tokens, now=timezone.now(), invitation=None
            )
        except VendorError:
            continue  # a fault of the storm: the participant tries again
        count += 1
    return count


def hold(made: stack.Stack, weeks: float) -> None:
    """Have nobody's phone upload anything from so many weeks ago on."""
    now = dt.datetime.now(dt.UTC)
    made.sim("clock", set=(now - dt.timedelta(weeks=weeks)).isoformat())
    set_held(made, held=True)
    made.sim("clock", set=dt.datetime.now(dt.UTC).isoformat())


def set_held(made: stack.Stack, *, held: bool) -> None:
    for account in made.sim("accounts")["accounts"]:
        made.sim("late", user=str(account["number"]), held=held)


def read_now(connections: list[int]) -> None:
    """Read, in this process, all that there is of everybody: while uploads are held most of it is answered empty."""
    from ingestion.sync import dispatch

    for pk in connections:
        while dispatch.serve(pk).wait == 0:
            pass


def storm(made: stack.Stack, minutes: float, chance: random.Random, *, held: bool) -> dict[str, Any]:
    """Let it blow; returns what was done to whom. What beat does each minute is done every five seconds.

    `held`: uploads are, and come in the middle of it.
    """
    from ingestion import tasks

    crew: list[Child] = [made.worker(1), made.worker(2)]
    done: Counter[str] = Counter()
    end, next_kill, next_tick = time.monotonic() + 60 * minutes, time.monotonic() + 10, 0.0
    while time.monotonic() < end:
        time.sleep(1)
        if held and time.monotonic() > end - 30 * minutes:
            set_held(made, held=False)
            held = False
        done["reconnected"] += reconnect(made)
        if time.monotonic() > next_tick:
            tasks.tick.delay()
            next_tick = time.monotonic() + TICK
        if time.monotonic() > next_kill:
            victim = chance.choice(crew)
            if victim.process:
                victim.process.send_signal(signal.SIGKILL)
                victim.process.wait()
                done[f"{victim.name} killed"] += 1
                victim.start()
            next_kill = time.monotonic() + chance.uniform(6, 18)
    return dict(done)


def settle(made: stack.Stack, seconds: float) -> dict[str, int]:
    """Stop the simulated clock and the faults, make one more pass of everybody, wait until nothing is due."""
    from django.utils import timezone

    from ingestion import tasks
    from ingestion.models import Connection, SyncWindow
    from ingestion.sync import planning

    made.sim("faults", profile="none")
    made.sim("clock", speed=0)
    time.sleep(2)  # what was answered before is stored
    while Connection.objects.filter(status=Connection.Status.RECONNECT).exists() and reconnect(made):
        pass
    failed = sum(planning.requeue_failed(connection, timezone.now()) for connection in Connection.objects.all())
    since = timezone.now()
    Connection.objects.update(next_due_at=since, busy_until=None)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        tasks.tick.delay()
        time.sleep(TICK)
        reconnect(made)
        busy = SyncWindow.objects.filter(state__in=(SyncWindow.State.DUE, SyncWindow.State.CLAIMED)).exists()
        planned = not Connection.objects.filter(next_due_at__lte=since).exists()
        if planned and not busy:
            break
    return {"failed, requeued": failed, "seconds": round(seconds - (deadline - time.monotonic()))}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--minutes", type=float, default=10)
    arguments.add_argument("--participants", type=int, default=50)
    arguments.add_argument("--days", type=int, default=3, help="of monitoring before now")
    arguments.add_argument("--seed", type=int, default=7)
    arguments.add_argument("--settle", type=float, default=900, help="seconds at most")
    arguments.add_argument("--held-weeks", type=float, default=0, help="uploads held so long, and no notices")
    given = arguments.parse_args()
    simulator = ("--participants", str(given.participants * 5 // 4), "--seed", str(given.seed), "--user-limit", "0")
    with stack.stack(*simulator, "--cache-days", "800", **QUICK) as made:
        from django.core.management import call_command

        from ingestion.models import WebhookDelivery

        if given.held_weeks:
            hold(made, given.held_weeks)
        days = given.days + round(7 * given.held_weeks)
        connected = stack.connect_all(made, given.participants, dt.datetime.now(dt.UTC).date() - dt.timedelta(days))
        if given.held_weeks:
            read_now(connected)
        else:
            made.web()
            call_command("google_webhooks", "create")
        made.sim("faults", profile="storm")
        print(f"{made.tier}: {len(connected)} participants, {given.minutes:g} minutes of storm")
        done = storm(made, given.minutes, random.Random(given.seed), held=bool(given.held_weeks))
        stats, before = made.sim("stats"), states()
        notices = WebhookDelivery.objects.count()
        settled = settle(made, given.settle)
        rows = {**done, **{f"fault: {name}": n for name, n in stats["faults"]["given"].items()}}
        rows |= {"notices taken": notices} | {
            f"notice answered {k}": n for k, n in stats["webhooks"]["answers"].items()
        }
        rows |= {f"answered {name}": n for name, n in stats["statuses"].items()}
        rows |= {f"windows {name} at its end": n for name, n in before.items()}
        rows |= settled | {f"windows {name} at last": n for name, n in states().items()}
        bench.table("The storm", ["", "number"], [[name, f"{n:,}"] for name, n in rows.items()])
        call_command("compare_simulator")


if __name__ == "__main__":
    main()
