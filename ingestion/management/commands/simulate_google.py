"""`manage.py simulate_google --faults mild`: play Google's side over real HTTP. See docs/simulator.md."""

from __future__ import annotations

import argparse
import datetime as dt
import errno
import logging
import signal
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ingestion.providers.google_health.simulator.faults import PROFILES
from ingestion.providers.google_health.simulator.oauth import Client
from ingestion.providers.google_health.simulator.server import Options, OtherSimulation, Server, Simulator


def _instant(text: str) -> dt.datetime | None:
    if text == "now":
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("'now' or an instant such as 2026-11-20T08:00:00Z") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


class Command(BaseCommand):
    help = (
        "Play Google Health: OAuth with its consent page, the v4 API and the webhooks, for made-up participants, "
        "with faults to order. Needs no database. Stop it with Ctrl-C."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        who = parser.add_argument_group("who and what")
        who.add_argument("--participants", type=int, default=24, help="Google accounts (default 24)")
        who.add_argument("--seed", type=int, default=7, help="the same seed gives the same people (default 7)")
        who.add_argument("--faults", choices=sorted(PROFILES), default="none", help="what goes wrong (default none)")
        who.add_argument("--all-well", action="store_true", help="nobody has a flat battery, travels or drops out")
        who.add_argument("--history-days", type=int, default=90, help="days of data before the clock (default 90)")
        clock = parser.add_argument_group("clock")
        clock.add_argument("--clock", type=_instant, default=None, help="'now' (default) or an instant to start at")
        clock.add_argument("--speed", type=float, default=1.0, help="simulated seconds a second (default 1)")
        server = parser.add_argument_group("server")
        server.add_argument("--host", default="127.0.0.1", help="address to listen at (default 127.0.0.1)")
        server.add_argument("--port", type=int, default=8099, help="port, 0 for any free one (default 8099)")
        server.add_argument("--state", type=Path, help="folder that outlives a restart (default: none is kept)")
        server.add_argument("--cache-days", type=int, default=200, help="participant-days kept, 1 MB each")
        google = parser.add_argument_group("as Google is told")
        google.add_argument("--client-id", default="sim-client")
        google.add_argument("--client-secret", default="sim-secret")
        google.add_argument("--redirect-uri", action="append", default=[], help="registered; none: any is taken")
        google.add_argument("--refresh-days", type=float, default=0, help="7 plays Testing mode (default: no limit)")
        google.add_argument("--user-limit", type=int, default=300, help="requests a minute and account, 0: none")
        google.add_argument("--project-limit", type=int, default=120_000, help="requests a minute in all, 0: none")
        google.add_argument("--numeric-users", action="store_true", help="take the numeric id in place of 'me'")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = Options(
            participants=options["participants"],
            seed=options["seed"],
            faults=options["faults"],
            host=options["host"],
            port=options["port"],
            clock=options["clock"],
            speed=options["speed"],
            history_days=options["history_days"],
            all_well=options["all_well"],
            state=options["state"],
            client=Client(
                options["client_id"],
                options["client_secret"],
                tuple(options["redirect_uri"]),
                options["refresh_days"],
            ),
            user_limit=options["user_limit"],
            project_limit=options["project_limit"],
            numeric_users=options["numeric_users"],
            days_kept=options["cache_days"],
        )
        try:
            simulator = Simulator(chosen)
        except OtherSimulation as error:
            raise CommandError(str(error)) from error
        try:
            server = self._server(simulator, chosen)
        except CommandError:
            simulator.close()
            raise
        self._serve(simulator, server, chosen)

    def _server(self, simulator: Simulator, chosen: Options) -> Server:
        try:
            return Server(simulator, chosen.host, chosen.port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise CommandError(f"Port {chosen.port} is taken. Choose another: --port {chosen.port + 1}") from error
            raise CommandError(f"Cannot listen at {chosen.host}:{chosen.port}: {error.strerror}.") from error

    def _serve(self, simulator: Simulator, server: Server, chosen: Options) -> None:
        self.stdout.write(
            f"Playing Google Health at {server.address}: {chosen.participants} accounts, seed {chosen.seed}, "
            f"faults {chosen.faults}, clock {simulator.state.clock_text()}. Ctrl-C stops it."
        )
        self.stdout.flush()
        # One line a delivery is too much at thousands; failures are logged by the simulator itself.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        # A shell starts its background jobs with Ctrl-C switched off, and supervisors stop theirs with SIGTERM.
        before = {
            number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGINT, signal.SIGTERM)
        }
        simulator.start()
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            server.server_close()
            simulator.close()
