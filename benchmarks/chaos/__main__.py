"""The run: outage after outage, then the reckoning. See the package's own text."""

from __future__ import annotations

import argparse
import datetime as dt
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass

import httpx
from django.core.management import CommandError, call_command

from benchmarks import bench, stack
from benchmarks.chaos import alarms, final_checks
from benchmarks.chaos.installation import Installation, installation
from benchmarks.chaos.outages import Outage, outages
from benchmarks.chaos.watching import Seen, Watcher
from config.embedded import static_files
from config.embedded.environment import ROOT

CODE = "CHAOS"
# Longest that an outage is held to be seen, and longest that getting well may take, in seconds.
MOST_HELD, MOST_RECOVERING = 100.0, 120.0


@dataclass(slots=True)
class Story:
    """Course of one outage; seconds, of `recovered` since it was ended."""

    outage: Outage
    seen: Seen
    lasted: float
    recovered: float | None
    silent: float | None  # until no alert fired any more
    alerts_looked_at: bool

    @property
    def alert(self) -> tuple[str, float] | None:
        fired = [(name, at) for name, at in self.seen.alerts.items() if name in self.outage.alerts]
        return min(fired, key=lambda alert: alert[1]) if fired else None

    def faults(self) -> list[str]:
        faults = [f"{self.outage.name}: {answer}" for answer in sorted(set(self.seen.unexplained))[:5]]
        if self.outage.part and self.outage.part not in self.seen.parts:
            faults.append(f"{self.outage.name}: /health/ready did not show it")
        if self.outage.part and self.alerts_looked_at and not self.alert:
            faults.append(f"{self.outage.name}: no alert fired")
        if self.recovered is None:
            faults.append(f"{self.outage.name}: not well again after {MOST_RECOVERING:.0f} s")
        return faults


def people(made: Installation, number: int, days: int) -> tuple[str, str]:
    """A trial of connected participants and a manager; returns the manager's session cookie and API token."""
    from django.contrib.auth import get_user_model
    from django.test import Client
    from django.utils import timezone

    from participants.models import Membership, Trial
    from participants.services.api_tokens import token_create

    stack.connect_all(made.vendor, number, dt.datetime.now(dt.UTC).date() - dt.timedelta(days), code=CODE)
    user = get_user_model().objects.create_user(email="manager@example.org", password=None)
    Membership.objects.create(trial=Trial.objects.get(code=CODE), user=user, role=Membership.Role.MANAGER)
    _, key = token_create(user=user, name="chaos", can_write=True, expires_at=timezone.now() + dt.timedelta(days=1))
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value, key


def subscribed() -> bool:
    """The vendor tries our address first, and may find programs that are still starting."""
    try:
        call_command("google_webhooks", "create")
    except CommandError as fault:
        print(fault)
        return False
    return True


class Exports:
    """Asked for over the API, before and in the midst of outages: what was promised must come."""

    def __init__(self, made: Installation, key: str, on: dt.date) -> None:
        self._made, self._on = made, on.isoformat()
        self._headers = {"Authorization": f"Bearer {key}"}
        self.promised: list[str] = []
        self.answers: Counter[str] = Counter()
        self.unexplained: list[str] = []

    def request(self) -> None:
        request = {"format": "csv", "metrics": ["heart_rate"], "start_on": self._on, "end_on": self._on}
        url = f"/api/v1/trials/{CODE}/exports"
        for port in self._made.ports:
            try:
                answer = httpx.post(f"http://127.0.0.1:{port}{url}", json=request, headers=self._headers, timeout=10)
            except httpx.ConnectError:
                continue
            except httpx.HTTPError:
                self.answers["broken off"] += 1
                return
            self.answers[str(answer.status_code)] += 1
            if answer.status_code in (201, 202):
                self.promised.append(answer.json()["id"])
            elif "code" not in answer.text:
                self.unexplained.append(f"asking for an export: {answer.status_code} {answer.text[:200]}")
            return


def play(made: Installation, outage: Outage, watcher: Watcher, exports: Exports) -> Story:
    """Make it, hold it until it was seen, end it, wait until all is well."""
    exports.request()
    made.pause(1)
    watcher.seen = seen = Seen()
    outage.begin(made)
    requested = False
    while seen.age < outage.hold or (seen.age < MOST_HELD and outage.part and not shown(outage, seen, watcher)):
        outage.keep(made)
        made.pause(0.3)
        if not requested and seen.age > 2:
            exports.request()
            requested = True
    lasted = seen.age
    outage.end(made)
    ended = time.monotonic()
    recovered = silent = None
    while time.monotonic() - ended < MOST_RECOVERING and (recovered is None or silent is None):
        made.pause(0.2)
        if recovered is None and watcher.status == "ready":
            recovered = time.monotonic() - ended
        if recovered is not None and not watcher.firing & outage.alerts:
            silent = time.monotonic() - ended
    made.pause(2)
    return Story(outage, seen, lasted, recovered, silent, bool(watcher.prometheus))


def shown(outage: Outage, seen: Seen, watcher: Watcher) -> bool:
    return outage.part in seen.parts and (
        not watcher.prometheus or any(alert in seen.alerts for alert in outage.alerts)
    )


def seconds(number: float | None) -> str:
    return "-" if number is None else f"{number:.1f} s"


def report(stories: list[Story]) -> None:
    head = ["Outage", "lasted", "in /health/ready", "after", "alert", "after", "well after its end", "silent"]
    rows = []
    for story in stories:
        name, at = story.alert or ("-", None)
        part = story.outage.part
        rows.append(
            [
                story.outage.name,
                seconds(story.lasted),
                part or "nothing to see",
                seconds(story.seen.parts.get(part)),
                name,
                seconds(at),
                seconds(story.recovered),
                seconds(story.silent),
            ]
        )
    bench.table("Outages", head, rows)
    rows = []
    for story in stories:
        answers = story.seen.answers
        columns = {
            what: ", ".join(
                f"{number} x {answer}" for (kind, answer), number in sorted(answers.items()) if kind == what
            )
            for what in ("page", "API")
        }
        rows.append([story.outage.name, columns["page"], columns["API"], str(len(story.seen.unexplained))])
    bench.table("What was answered meanwhile", ["Outage", "page", "API", "unexplained"], rows)


def run(made: Installation, given: argparse.Namespace) -> list[str]:
    from django.db import connection

    today = dt.datetime.now(dt.UTC).date()
    cookie, key = people(made, given.participants, given.days)
    if static_files.stale():
        command = [sys.executable, "manage.py", "collectstatic", "--no-input", "--clear", "--verbosity", "0"]
        subprocess.run(command, check=True, cwd=ROOT)
        static_files.stamp()
    connection.close()
    made.start_programs()
    final_checks.patient(subscribed, made, 60)
    made.vendor.sim("faults", profile="mild")
    exports = Exports(made, key, today - dt.timedelta(1))
    chosen = [outage for outage in outages(given.hour) if (outage.quick or not given.quick)]
    if given.only:
        chosen = [outage for outage in chosen if any(word in outage.name for word in given.only)]
    with alarms.prometheus(made) as prometheus:
        addresses = tuple(f"http://127.0.0.1:{port}" for port in made.ports)
        stories = []
        with Watcher(addresses, cookie, key, prometheus) as watcher:
            watched = frozenset[str]().union(*(outage.alerts for outage in chosen))
            if not final_checks.patient(lambda: watcher.status == "ready" and not watcher.firing & watched, made, 90):
                print(f"Not well before the first outage: {watcher.status}, {watcher.away}, {watcher.firing}")
            made.pause(given.warm)
            for outage in chosen:
                if outage.needs_small_disk and not made.small_disk:
                    print(f"SKIPPED: {outage.name}: only root can mount a small disk.")
                    continue
                print(f"{dt.datetime.now(dt.UTC):%H:%M:%S} {outage.name}", flush=True)
                stories.append(play(made, outage, watcher, exports))
            report(stories)
        rows = [[f"exports answered {answer}", str(number)] for answer, number in sorted(exports.answers.items())]
        rows += [[f"{name} started again", str(number)] for name, number in sorted(made.restarts.items())]
        bench.table("Meanwhile", ["", "number"], rows)
        faults = [fault for story in stories for fault in story.faults()] + exports.unexplained
        return faults + final_checks.faults(made, exports.promised, given.settle)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--participants", type=int, default=50)
    arguments.add_argument("--days", type=int, default=2, help="of monitoring before now")
    arguments.add_argument("--seed", type=int, default=7)
    arguments.add_argument("--quick", action="store_true", help="five outages instead of ten")
    arguments.add_argument("--only", nargs="+", metavar="WORD", help="outages whose name holds one of these")
    arguments.add_argument("--hour", type=float, default=60, help="seconds in which the vendor's hour is played")
    arguments.add_argument("--warm", type=float, default=10, help="seconds of plain work before the first outage")
    arguments.add_argument("--settle", type=float, default=240, help="seconds at most")
    given = arguments.parse_args()
    began = time.monotonic()
    simulator = ("--participants", str(given.participants * 5 // 4), "--seed", str(given.seed), "--user-limit", "0")
    with installation(*simulator, "--cache-days", "800") as made:
        faults = run(made, given)
        if faults:
            kept = made.keep_logs()
    print(f"\n{time.monotonic() - began:.0f} seconds in all")
    for fault in faults:
        print(f"WRONG: {fault}")
    if faults:
        print(f"The programs' logs are kept in {kept}.")
    print(
        "Something was lost, doubled, unseen or unexplained." if faults else "Nothing lost, nothing doubled, all seen."
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
