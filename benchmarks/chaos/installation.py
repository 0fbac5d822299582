"""The installation under test: its servers and programs, kept up as a supervisor would, but for what is held down."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import django
from django.core import management

from benchmarks import stack
from config.embedded.environment import LOGS, ROOT
from config.embedded.postgres import Postgres
from config.embedded.processes import Child, wait_until
from config.embedded.redis_server import Redis, free_port

# A thirtieth to a sixtieth of production's times: an hour without the vendor is played in a minute.
QUICK = {
    "SYNC_RETRY_SECONDS": "0.5",  # 30 in production
    "SYNC_CLAIM_MINUTES": "0.25",  # 10
    "SYNC_EVERY_MINUTES": "1",  # 360
    "SYNC_JITTER_MINUTES": "1",  # 10
    "HEARTBEAT_SECONDS": "1",  # 30
    "VENDOR_TIMEOUT_SECONDS": "10",
}
PLAIN = {"SECOND_FACTOR": "optional", "LOG_LEVEL": "WARNING", "WEB_CONCURRENCY": "1", "WEB_THREADS": "8", "HTTPS": ""}
TOKEN = "chaos-only-" + "m" * 32
TMPFS_MEGABYTES = 1500
# Small, so that the log does not fill the little disk by itself.
SMALL = {"shared_buffers": "64MB", "max_wal_size": "128MB", "min_wal_size": "48MB", "effective_cache_size": "256MB"}


class SmallPostgres(Postgres):
    def __init__(self, folder: Path, log: Path) -> None:
        super().__init__(folder, log)
        self._settings |= SMALL

    @property
    def responds(self) -> bool:
        return self._responds()


class Installation:
    """Everything that runs. `children` by name are started again when they end, unless they are held."""

    def __init__(self, folder: Path, postgres: SmallPostgres, redis: Redis, small_disk: bool) -> None:
        self.folder, self.postgres, self.redis, self.small_disk = folder, postgres, redis, small_disk
        self.ports = (free_port(), free_port())
        self.vendor = stack.Stack(folder, f"http://127.0.0.1:{free_port()}", {}, Child("", [], {}, None))
        self.children: dict[str, Child] = {"postgres": postgres.child, "redis": redis.child}
        self.held: set[str] = set()
        self.restarts: dict[str, int] = {}
        self._due: dict[str, float] = {}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"

    def settings(self) -> dict[str, str]:
        return {
            "PUBLIC_URL": self.address,
            "WEBHOOK_SECRET": "Bearer chaos-only-" + "z" * 20,
            "DEBUG": "",
            "ALLOWED_HOSTS": "127.0.0.1",
            "SECRET_KEY": "chaos-only-" + "x" * 50,
            "TOKEN_KEYS": "chaos-only-" + "y" * 50,
            "METRICS_TOKEN": TOKEN,
            "REDIS_URL": self.redis.url,
            "DATABASE_URL": self.postgres.url(),
            "GOOGLE_SIMULATOR_URL": self.vendor.address,
            "EXPORT_FOLDER": str(self.folder / "exports"),
            "EMAIL_HOST": "",
            "CLIENT_ID": "",
            "CLIENT_SECRET": "",
            **PLAIN,
            **QUICK,
        }

    def start_vendor(self, *arguments: str) -> None:
        port = self.vendor.address.rpartition(":")[2]
        child = self._manage("simulator", "simulate_google", "--port", port, *arguments)
        child.stop_signals = ((signal.SIGTERM, 5.0),)
        self._up(child, f"{self.vendor.address}/_sim/clock")

    def start_programs(self) -> None:
        """Web servers, workers, schedulers."""
        for number, port in enumerate(self.ports, start=1):
            web = self._python(f"web-{number}", "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py", "config.wsgi")
            web.environment = {**web.environment, "PORT": str(port)}
            self._up(web, f"http://127.0.0.1:{port}/health/live")
        celery = ("-m", "celery", "-A", "benchmarks.chaos.quick_beat")
        worker = (*celery, "worker", "--concurrency", "1", "--loglevel", "WARNING")
        for name, more in (("worker-1", ()), ("worker-2", ()), ("exports", ("--queues", "exports"))):
            self._up(self._python(name, *worker, *more, "--hostname", f"{name}@chaos"))
        for name in ("beat-1", "beat-2"):
            self._up(self._python(name, *celery, "beat", "--pidfile", "", "--loglevel", "INFO"))

    def _manage(self, name: str, *arguments: str) -> Child:
        return self._python(name, "manage.py", *arguments)

    def _python(self, name: str, *arguments: str) -> Child:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        return Child(name, [sys.executable, *arguments], environment, self.folder / f"{name}.log", directory=ROOT)

    def _up(self, child: Child, url: str = "") -> None:
        child.start()
        self.children[child.name] = child
        if url and not wait_until(lambda: stack.responds(url), child, child.name, time.sleep):
            raise SystemExit(
                f"{child.name} does not answer:\n{(self.folder / f'{child.name}.log').read_text()[-3000:]}"
            )

    # --- outages ---

    def kill(self, *names: str, number: int = signal.SIGKILL) -> None:
        """End programs with all that they started, and hold them down."""
        self.held |= set(names)
        for name in names:
            if (process := self.children[name].process) and self.children[name].running:
                with contextlib.suppress(ProcessLookupError):
                    (os.killpg if number == signal.SIGKILL else os.kill)(process.pid, number)
                process.wait(60)

    def let_up(self, *names: str) -> None:
        self.held -= set(names)

    def tend(self) -> None:
        """Start again what has ended, a second after it did."""
        now = time.monotonic()
        for name, child in self.children.items():
            if child.running or name in self.held:
                self._due.pop(name, None)
            elif now >= self._due.setdefault(name, now + (1.0 if self.restarts.get(name) else 0.0)):
                del self._due[name]
                self.restarts[name] = self.restarts.get(name, 0) + 1
                child.start()

    def pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.tend()
            time.sleep(min(0.2, max(0.0, until - time.monotonic())))

    @property
    def ballast(self) -> Path:
        return self.postgres.data.parent / "ballast"

    def fill_disk(self) -> None:
        """To the last block. What the server lets go of meanwhile is taken too, when it is called again."""
        with self.ballast.open("ab", buffering=0) as file:
            for size in (2**20, 2**12):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"\0" * size)

    def keep_logs(self) -> Path:
        """For who must find out what went wrong."""
        kept = LOGS / "chaos"
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        for path in self.folder.glob("*.log"):
            shutil.copy(path, kept)
        return kept

    def stop(self) -> None:
        servers = ("postgres", "redis")
        for name in [name for name in self.children if name not in servers]:
            self.children[name].stop()


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A little disk of its own in memory, where root may have one; yields whether it is there."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_MEGABYTES}m", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and shutil.which("mount") and subprocess.run(command, check=False).returncode == 0
    try:
        yield bool(mounted)
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False)


@contextlib.contextmanager
def installation(*simulator: str) -> Iterator[Installation]:
    """Servers, the simulator and a migrated database; Django is ready. The programs are started by the caller."""
    with contextlib.ExitStack() as ending:
        # Outside what only its owner may enter: where root starts it, PostgreSQL runs as another user.
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="wearable-chaos-")))
        disk = ending.enter_context(small_disk(folder / "pg"))
        postgres = SmallPostgres(folder / "pg", folder / "postgres.log")
        ending.callback(postgres.stop)
        postgres.start(time.sleep)
        redis = Redis(folder / "redis", folder / "redis.log")
        ending.callback(redis.stop)
        redis.start(time.sleep)
        made = Installation(folder, postgres, redis, disk)
        os.environ |= made.settings()
        ending.callback(made.stop)
        made.start_vendor(*simulator)
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
        django.setup()
        management.call_command("migrate", interactive=False, verbosity=0)
        yield made
