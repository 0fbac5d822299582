"""Supervisor behind `make demo` and `make run`: starts the servers in order, keeps them up, ends them."""

from __future__ import annotations

import http.client
import os
import signal
import time
from dataclasses import dataclass, field
from types import FrameType

from config.embedded import environment, static_files
from config.embedded.children import Children
from config.embedded.environment import LOGS, VAR
from config.embedded.postgres import Postgres
from config.embedded.processes import Child, say, tail, wait_until
from config.embedded.redis_server import Redis, free_port
from config.embedded.setup import SetupError, check_port, hold, port_wanted

DEMO_LOGINS = ("manager@example.org", "coordinator@example.org", "staff@example.org")
DEMO_PASSWORD = "wearable-demo-2026"  # noqa: S105  printed on purpose: the demo's people are invented
# A child that ends sooner than this after its start is failing, not merely stopped.
STEADY_SECONDS = 30.0
ATTEMPTS = 5


class Stopped(Exception):
    """Ctrl-C or SIGTERM."""


class Failed(Exception):
    """The product cannot run; the text says what to read."""


@dataclass
class Watch:
    """Watch on a child that must run: how often it failed to in a row."""

    child: Child
    failures: int = 0
    started: float = field(default_factory=time.monotonic)
    due: float | None = None  # when a dead child is started again

    def tend(self, now: float) -> None:
        """Starts a dead child again after 1, 2, 4, 8 seconds. Raises Failed when it dies too often."""
        if self.due is not None:
            if now >= self.due:
                self.due, self.started = None, now
                self.child.start()
            return
        if self.child.running:
            return
        self.failures = 1 if now - self.started > STEADY_SECONDS else self.failures + 1
        if self.failures >= ATTEMPTS:
            log = self.child.log
            raise Failed(f"{self.child.name} keeps ending. The end of its log, {log}:\n{tail(log) if log else ''}")
        self.due = now + 2.0 ** (self.failures - 1)
        say(f"{self.child.name} ended with status {self.child.exit_status}; starting it again")


class Supervisor:
    """Owns every child. One thread: signals set a flag that each pause looks at."""

    def __init__(self, *, demo: bool) -> None:
        self.demo = demo
        self.port = port_wanted()
        self._stop_asked = False
        self._children = Children({})
        self._postgres: Postgres | None = None
        self._redis: Redis | None = None
        self._watches: list[Watch] = []
        self._seeding: Child | None = None
        self._simulated = False
        self._mail = False
        self._answered = "no answer yet"
        self._helpers: list[Child] = []  # they end by themselves

    def run(self) -> None:
        """Serves until told to stop. Raises SetupError, Failed, PostgresFault or RedisFault."""
        lock = hold(VAR / "product.lock")
        if lock is None:
            raise SetupError("Wearable Trials already runs in this folder. Stop that one with Ctrl-C first.")
        check_port(self.port)
        os.ftruncate(lock, 0)
        os.write(lock, f"process {os.getpid()}, {self.address}\n".encode())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_stop_signal)
        try:
            self._bring_up()
            self._watch()
        except Stopped:
            say("\nStopping. The data stay in var/")
        finally:
            self._bring_down()
            os.close(lock)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _on_stop_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop_asked = True

    def _pause(self, seconds: float) -> None:
        if not self._stop_asked:
            time.sleep(seconds)
        if self._stop_asked:
            raise Stopped

    # ------------------------------------------------------------------ up

    def _bring_up(self) -> None:
        environment.load_dotenv()
        brought: dict[str, str] = {}
        if not environment.given("SECRET_KEY"):
            brought["SECRET_KEY"] = environment.secret_key()
        if not environment.given("DATABASE_URL", "DB_NAME"):
            say("Starting PostgreSQL")
            self._postgres = Postgres(VAR / "postgres", LOGS / "postgres.log")
            self._postgres.start(self._pause)
            brought["DATABASE_URL"] = self._postgres.url()
            self._watches.append(Watch(self._postgres.child))
        if not environment.given("REDIS_URL"):
            say("Starting Redis")
            self._redis = Redis(VAR / "redis", LOGS / "redis.log")
            self._redis.start(self._pause)
            brought["REDIS_URL"] = self._redis.url
            self._watches.append(Watch(self._redis.child))
        brought |= self._vendor() | self._mail_settings()
        if self.demo and not environment.given("SECOND_FACTOR"):
            brought["SECOND_FACTOR"] = "optional"  # the demo's published password opens it
        # Also what .env says of another run: only `make demo` is a demo.
        brought["DEMO"] = str(self.demo)
        environment.publish(brought)
        self._children = Children({**os.environ, **brought, "PYTHONUNBUFFERED": "1", "PORT": str(self.port)})
        say("Bringing the database's tables up to date")
        self._migrate()
        if static_files.stale():
            say("Collecting the pages' static files")
            self._step("collectstatic", "--no-input", "--clear", "--verbosity", "0")
            static_files.stamp()
        if self._simulated:
            self._start(self._children.simulator())
        if self._mail:
            self._start(self._children.mail_server())
        say("Starting the web server, the worker and the scheduler")
        web = self._children.web()
        self._start(web)
        self._await_pages(web)  # before the others start: on a small machine they would slow it down
        self._start(self._children.worker())
        self._start(self._children.export_worker())
        self._start(self._children.beat())
        if self._simulated:
            # A log, and not the terminal: without its notices the demo works too, only later.
            subscribing = self._children.manage("google_webhooks", "create", log=LOGS / "simulator.log")
            subscribing.start()
            self._helpers.append(subscribing)
        if self.demo:
            self._seeding = self._children.manage("seed_demo", log=None)
            self._seeding.start()
        self._greet()

    def _migrate(self) -> None:
        """The tables and the checks. A demo that was here is closed: everybody knows its password."""
        if self.demo:
            self._step("migrate", "--no-input", "--verbosity", "0")
            return
        self._step("migrate", "--no-input", "--verbosity", "0", "--skip-checks")
        self._step("close_demo_accounts")

    def _vendor(self) -> dict[str, str]:
        """Settings of the live vendor; in a demo without credentials a simulator plays it, at a port that is free."""
        brought: dict[str, str] = {}
        if not environment.given("TOKEN_KEYS"):
            brought["TOKEN_KEYS"] = environment.token_key()
        if not environment.given("PUBLIC_URL"):
            brought["PUBLIC_URL"] = self.address
        self._simulated = self.demo and not environment.given("CLIENT_ID", "GOOGLE_SIMULATOR_URL")
        if self._simulated:
            brought["GOOGLE_SIMULATOR_URL"] = f"http://127.0.0.1:{free_port()}"
            if not environment.given("WEBHOOK_SECRET"):
                brought["WEBHOOK_SECRET"] = environment.webhook_secret()
        return brought

    def _mail_settings(self) -> dict[str, str]:
        """A demo without a mail server gets one that keeps what it takes, for its mailbox page."""
        self._mail = self.demo and not environment.given("EMAIL_HOST")
        if not self._mail:
            return {}
        # What .env says of another server's encryption and login is not this one's.
        plain = {"EMAIL_USE_TLS": "False", "EMAIL_USE_SSL": "False", "EMAIL_HOST_USER": ""}
        where = {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(free_port()), "DEMO_MAIL_FOLDER": str(VAR / "mail")}
        return plain | where

    def _step(self, *arguments: str) -> None:
        """Run a management command, its output at the terminal. Raises Failed."""
        child = self._children.manage(*arguments, log=None)
        child.start()
        try:
            while child.running:
                self._pause(0.05)
        finally:
            child.stop()
        if child.exit_status:
            raise Failed(f"`manage.py {arguments[0]}` failed (see above).")

    def _start(self, child: Child) -> None:
        child.start()
        self._watches.append(Watch(child))

    def _await_pages(self, web: Child) -> None:
        if not wait_until(self._pages_respond, web, lambda: f"the pages ({self._answered})", self._pause):
            log = web.log
            raise Failed(f"The web server ended. The end of the log, {log}:\n{tail(log) if log else ''}")

    def _pages_respond(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/")
            status = connection.getresponse().status
            self._answered = f"they answer {status}"
            return status < 500
        except (OSError, http.client.HTTPException):
            self._answered = "no answer yet"
            return False
        finally:
            connection.close()

    def _greet(self) -> None:
        say(f"\n  Wearable Trials runs at {self.address}\n")
        if self.demo:
            say(f"  Log in as {', '.join(DEMO_LOGINS)}\n  Password  {DEMO_PASSWORD}\n")
            say("  The demo trial's data load meanwhile; the pages fill as they come.")
            if self._mail:
                say(f"  E-mails do not leave this machine: read them at {self.address}/demo/mailbox/")
            if self._simulated:
                say("  To connect somebody yourself: open DEMO-025, invite them, and follow the link. A simulator")
                say("  plays Google: no account is needed, and their data arrive within a minute.")
        else:
            say("  First time here? Make a login:  .venv/bin/python manage.py createsuperuser")
        say("  Logs are in var/log, data in var/. Ctrl-C stops everything and keeps the data.\n")

    # ------------------------------------------------------------------ while up, and down

    def _watch(self) -> None:
        while True:
            self._pause(0.25)
            now = time.monotonic()
            for watch in self._watches:
                watch.tend(now)
            if self._seeding and not self._seeding.running:
                status, self._seeding = self._seeding.exit_status, None
                if status == 0:
                    say("The demo trial is complete.")
                else:
                    say(f"Loading the demo trial failed (status {status}, see above). Its pages show what was loaded.")

    def _bring_down(self) -> None:
        """Stop the programs that use the database first, the database last."""
        for helper in self._helpers:
            helper.stop()
        if self._seeding:
            self._seeding.stop()
        servers = [server.child for server in (self._postgres, self._redis) if server]
        users = [watch.child for watch in self._watches if watch.child not in servers]
        for child in users:  # all are asked first, so that they finish side by side
            child.request_stop()
        for child in users:
            child.stop()
        for server in (self._redis, self._postgres):
            if server:
                server.stop()
        environment.withdraw()
