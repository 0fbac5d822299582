"""Child programs of the supervisor: each one's command, its log, and the signal that ends it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from config.embedded.environment import LOGS, ROOT, VAR
from config.embedded.processes import WORK_AFTER_PAGES, Child

# They share a machine: each hands its metrics out at a port of its own, from WORKER_METRICS_PORT on.
METRICS_PORTS = ("worker", "exports", "beat")


class Children:
    """Makes the child processes, which share one environment; starts none."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment

    def manage(self, *arguments: str, log: Path | None) -> Child:
        return self._python(arguments[0], "manage.py", *arguments, log=log, quit_signal=signal.SIGTERM)

    def simulator(self) -> Child:
        """Google's part, played by us. Its people begin when the demo's did; what they consented to outlives a stop."""
        port = self.environment["GOOGLE_SIMULATOR_URL"].rpartition(":")[2]
        arguments = ("simulate_google", "--port", port, "--state", str(VAR / "simulator"))
        return self.manage(*arguments, log=LOGS / "simulator.log")

    def mail_server(self) -> Child:
        arguments = ("-m", "config.embedded.mail", self.environment["EMAIL_PORT"], str(VAR / "mail"))
        return self._python("mail", *arguments, log=LOGS / "mail.log", quit_signal=signal.SIGTERM)

    def web(self) -> Child:
        arguments = ("-m", "gunicorn", "--config", "deploy/gunicorn.conf.py", "config.wsgi")
        return self._python("web", *arguments, log=LOGS / "web.log", quit_signal=signal.SIGQUIT)

    def worker(self) -> Child:
        arguments = ("-m", "celery", "-A", "config", "worker", "--concurrency", "2", "--loglevel", "INFO")
        alone = ("--without-gossip", "--without-mingle")  # there is no other worker to talk to
        return self._after_pages("worker", *arguments, *alone)

    def export_worker(self) -> Child:
        """Exports take long: apart, so that syncing never waits for one."""
        arguments = ("-m", "celery", "-A", "config", "worker", "--queues", "exports", "--concurrency", "1")
        more = ("--hostname", "exports@%h", "--loglevel", "INFO", "--without-gossip", "--without-mingle")
        return self._after_pages("exports", *arguments, *more)

    def beat(self) -> Child:
        arguments = ("-m", "celery", "-A", "config", "beat", "--loglevel", "INFO", "--pidfile", "")
        return self._python("beat", *arguments, log=LOGS / "beat.log", quit_signal=signal.SIGTERM)

    def _after_pages(self, name: str, *arguments: str) -> Child:
        child = self._python(name, *arguments, log=LOGS / f"{name}.log", quit_signal=signal.SIGQUIT)
        child.nice = WORK_AFTER_PAGES
        return child

    def _python(self, name: str, *arguments: str, log: Path | None, quit_signal: signal.Signals) -> Child:
        port = int(self.environment.get("WORKER_METRICS_PORT") or 0)
        own = {"WORKER_METRICS_PORT": str(port + METRICS_PORTS.index(name))} if port and name in METRICS_PORTS else {}
        return Child(
            name=name,
            command=[sys.executable, *arguments],
            environment={**self.environment, **own},
            log=log,
            stop_signals=((signal.SIGTERM, 7.0), (quit_signal, 3.0)),
            directory=ROOT,
        )
