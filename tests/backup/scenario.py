"""A server with data, its backups, and a catastrophe: played once, looked at by every test of backups."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from config.embedded.backups import PROGRAM
from config.embedded.postgres import SERVER_USER, Postgres, programs
from tests.paths import ROOT

OWNER = SERVER_USER if os.geteuid() == 0 else None
# pg_basebackup, and afterwards one file of what it took is another.
SPOILING = """#!/bin/sh
{programs}/pg_basebackup "$@" || exit
while [ "$1" != -D ]; do [ $# -gt 0 ] || exit 0; shift; done
mkdir "$2/x" && tar -xzf "$2/base.tar.gz" -C "$2/x" && echo 0 >"$2/x/PG_VERSION"
tar -czf "$2/base.tar.gz" -C "$2/x" . && rm -r "$2/x"
"""


def wait_for(ready: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.1)


def mine(folder: Path) -> Path:
    """The folder, made where it is missing, the server user's own."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if OWNER:
        shutil.chown(folder, OWNER, OWNER)
    return folder


def copy_of(store: Path, to: Path) -> Path:
    """The backups once more, for a test that damages them."""
    shutil.copytree(store, to)
    if OWNER:
        owner = pwd.getpwnam(OWNER)
        for path in (to, *to.rglob("*")):
            os.chown(path, owner.pw_uid, owner.pw_gid)
    return to


def contents(url: str) -> dict[str, tuple[int, str]]:
    """Rows and a hash of all rows, in order, for each table of the database."""
    with psycopg.connect(url) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
        found = {}
        for (name,) in names:
            rows = connection.execute(
                sql.SQL("SELECT t::text FROM {} t ORDER BY 1").format(sql.Identifier(name))
            ).fetchall()
            found[name] = len(rows), hashlib.sha256(repr(rows).encode()).hexdigest()
    return found


class Player:
    """The product in a process of its own, on a server of one's own."""

    def __init__(self, url: str, journal: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.backup.player"],
            env={
                **os.environ,
                "DATABASE_URL": url,
                "ERASURE_JOURNAL": str(journal),
                "SECRET_KEY": "tests-only",
            },
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, line: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        assert answer.split(" ")[0] == "ok", answer.replace(" | ", "\n")
        return answer[3:]

    def end(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(90)
        self.process.stdout.close()


@dataclass
class Scenario:
    home: Path
    server: Postgres = field(init=False)
    keeper: subprocess.Popen[bytes] | None = field(default=None, init=False)
    at: str = ""  # the time to which is restored, and what was there then
    then: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    newest: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    report: str = ""
    spoiled: subprocess.CompletedProcess[str] | None = None

    def __post_init__(self) -> None:
        self.server = Postgres(self.home / "server", self.home / "server.log", throw_away=True)
        self.store = self.home / "store"
        self.journal = self.home / "erasures.jsonl"

    def settings(self, **changed: str) -> dict[str, str]:
        return {
            "PATH": f"{programs()}{os.pathsep}{os.environ['PATH']}",
            "BACKUP_FOLDER": str(self.store),
            "BACKUP_DATABASE_URL": self.server.url(),
            "BACKUP_METRICS_FILE": str(self.store / "backup.prom"),
            "BACKUP_PAUSE": "0.3",
            **changed,
        }

    def backup(self, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROGRAM, *arguments],
            env=self.settings(**changed),
            user=OWNER,
            group=OWNER,
            extra_groups=[] if OWNER else None,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def keep(self) -> None:
        """Starts `backup run` and leaves it running."""
        self.keeper = subprocess.Popen(
            [PROGRAM, "run"],
            env=self.settings(),
            user=OWNER,
            group=OWNER,
            extra_groups=[] if OWNER else None,
            cwd=self.home,
            stdout=(self.home / "keeper.log").open("ab"),
            stderr=subprocess.STDOUT,
        )

    def spoil(self) -> subprocess.CompletedProcess[str]:
        """A base backup of which one file changes on its way to the disk; its archive is sound."""
        folder = self.home / "spoiling"
        folder.mkdir(mode=0o755)
        wrapper = folder / "pg_basebackup"
        wrapper.write_text(SPOILING.format(programs=programs()))
        wrapper.chmod(0o755)
        return self.backup("base", BACKUP_PROGRAMS=str(folder))

    def receive_for_a_moment(self, **changed: str) -> str:
        """Lets `backup wal` receive from the server of now; what it said until it received."""
        log = self.home / "moment.log"
        with log.open("wb") as said:
            receiver = subprocess.Popen(
                [PROGRAM, "wal"],
                env=self.settings(**changed),
                user=OWNER,
                group=OWNER,
                extra_groups=[] if OWNER else None,
                cwd=self.home,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_for(lambda: "receiving the log" in log.read_text(), "the receiver")
        finally:
            receiver.terminate()
            receiver.wait(90)
        return log.read_text()

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Another process at work: it holds the lock."""
        with (self.store / f".lock-{name}").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def end(self) -> None:
        if self.keeper:
            self.keeper.terminate()
            self.keeper.wait(90)
        self.server.stop()

    def ask(self, query: str) -> object:
        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]

    def bases(self) -> list[Path]:
        return sorted((self.store / "base").glob("2*"))

    def segments(self) -> list[Path]:
        """Whole segments of the log, oldest first."""
        return sorted((self.store / "wal").glob("0*.gz"))

    def play(self) -> None:
        """Loads data, backs up, loads more, notes the time, destroys, loads, and loses the server with its disk."""
        self.server.start(time.sleep)
        mine(self.store)
        product = Player(self.server.url(), self.journal)
        product("migrate")
        product("load 1 2")
        self.spoiled = self.spoil()
        self.keep()
        wait_for(lambda: bool(self.bases()), "a base backup")
        product("load 3 1")
        self.ask("SELECT pg_switch_wal()")
        product("load 4 1")
        self._after_the_base_backup()
        self.at = str(self.ask("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"))
        self.then = contents(self.server.url())
        self.ask("SELECT pg_switch_wal()")
        product("erase B-001")
        self.ask("DELETE FROM metrics_measurement WHERE participant_id % 2 = 1 RETURNING 1")
        self.ask("SELECT pg_switch_wal()")
        product("load 5 1")
        product.end()
        self.newest = contents(self.server.url())
        self._until_received()
        assert self.server.child.process is not None
        os.killpg(self.server.child.process.pid, signal.SIGKILL)
        self.server.child.process.wait()
        shutil.rmtree(self.server.data)
        self.report = (self.store / "backup.prom").read_text()
        assert self.keeper is not None
        self.keeper.terminate()
        assert self.keeper.wait(90) == 0
        self.keeper = None

    def _after_the_base_backup(self) -> None:
        ended = next(n for n in (self.bases()[0] / "info").read_text().splitlines() if n.startswith("ended="))
        wait_for(lambda: time.time() > int(ended.removeprefix("ended=")), "the second after the base backup")

    def _until_received(self) -> None:
        end = self.ask("SELECT pg_current_wal_insert_lsn()")
        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            received = (
                "SELECT bool_or(write_lsn >= %s::pg_lsn) FROM pg_stat_replication"
                " WHERE application_name = 'pg_receivewal'"
            )
            wait_for(lambda: connection.execute(received, [end]).fetchone() == (True,), "the log to be received")
        wait_for(lambda: len(self.segments()) >= 3, "the segments to be compressed")


class Restored:
    """A server on a restored folder, and the product on it."""

    def __init__(self, folder: Path, journal: Path) -> None:
        self.server = Postgres(folder, folder / "restored.log", throw_away=True)
        self.journal = journal

    def __enter__(self) -> Restored:
        self.server.start(time.sleep)
        self.product = Player(self.server.url(), self.journal)
        return self

    def __exit__(self, *_: object) -> None:
        self.product.end()
        self.server.stop()
