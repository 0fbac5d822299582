"""Child processes that cannot outlive their supervisor, each with a log of its own."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

LOG_BYTES_KEPT = 10_000_000
# Niceness of what nobody waits for at a screen: where the processor is short, pages go before syncs and exports.
WORK_AFTER_PAGES = 10
SAID_EVERY = 15.0  # seconds
_PR_SET_PDEATHSIG = 1
# Loaded here because between fork and exec nothing should be imported any more.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform.startswith("linux") else None


def say(text: str = "") -> None:
    """A line for the person at the terminal."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def open_log(path: Path) -> IO[bytes]:
    """The log for appending; a long one is set aside as `*.1` first."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LOG_BYTES_KEPT:
        path.replace(path.with_name(path.name + ".1"))
    return path.open("ab")


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log, indented, for an error message."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    return "\n".join("    " + line for line in text.splitlines()[-lines:])


def command_line(number: int) -> str:
    """Command line of a process, its arguments parted by spaces; empty where there is none."""
    if Path("/proc/self/cmdline").exists():  # Linux; `ps` is a package of its own, which small installations leave out
        try:
            arguments = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
        except OSError:  # it has ended
            return ""
        return os.fsdecode(b" ".join(arguments)).strip()
    ps = subprocess.run(
        ["/bin/ps", "-ww", "-p", str(number), "-o", "args="], capture_output=True, text=True, check=False
    )
    return ps.stdout.strip()


def _before_exec(number: signal.Signals, parent: int, nice: int) -> Callable[[], None]:
    """Linux: the kernel sends `number` to the child when the supervisor ends, however it ends. And its niceness."""

    def arrange() -> None:
        if nice:
            os.nice(nice)
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
            if os.getppid() != parent:  # it ended before the request was in place
                os.kill(os.getpid(), number)

    return arrange


@dataclass
class Child:
    """Supervised child program.

    `stop_signals` are tried in order, each with its patience in seconds; SIGKILL to the whole group comes last.
    `owner` is the user name to run as, where the supervisor is root and the program refuses to be.
    `log` None lets the child write to the terminal. `nice` above 0: others of the machine go first.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path | None
    stop_signals: Sequence[tuple[signal.Signals, float]] = ((signal.SIGTERM, 8.0),)
    orphan_signal: signal.Signals = signal.SIGKILL  # a program that is still starting ignores gentler ones
    owner: str | None = None
    stdin: bytes | None = None
    directory: Path | None = None
    nice: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _asked: bool = field(default=False, init=False)

    def start(self) -> None:
        log = open_log(self.log) if self.log else None
        self._asked = False
        try:
            # A process group of its own: Ctrl-C reaches the supervisor only, which stops the children in order.
            self.process = subprocess.Popen(
                list(self.command),
                env=dict(self.environment),
                cwd=self.directory,
                stdin=subprocess.PIPE if self.stdin is not None else subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT if log else None,
                user=self.owner,
                group=self.owner,
                extra_groups=[] if self.owner else None,
                process_group=0,
                preexec_fn=_before_exec(self.orphan_signal, os.getpid(), self.nice),  # noqa: PLW1509  one thread only
            )
        finally:
            if log:
                log.close()
        if self.stdin is not None and self.process.stdin:
            with suppress(BrokenPipeError):  # it ended at once: whoever waits for it says why
                self.process.stdin.write(self.stdin)
                self.process.stdin.close()

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def exit_status(self) -> int | None:
        return self.process.poll() if self.process else None

    def request_stop(self) -> None:
        """The first of the stop signals, without waiting for what comes of it."""
        if self.process and self.running:
            self.process.send_signal(self.stop_signals[0][0])
            self._asked = True

    def stop(self) -> None:
        """Ends the program and whatever it started. Returns when it is gone."""
        if self.process is None:
            return
        if not self._asked:
            self.request_stop()
        for step, (number, patience) in enumerate(self.stop_signals):
            if not self.running:
                break
            if step > 0:
                self.process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(patience)
        with suppress(ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def wait_until(
    ready: Callable[[], bool], child: Child, what: Callable[[], str] | str, pause: Callable[[float], None]
) -> bool:
    """Polls `ready` until it is true; False when the child ended. However long: on a busy machine it is on its way.

    Says every 15 seconds for what it waits. `pause` sleeps the given seconds and may raise to give up.
    """
    began = reported = time.monotonic()
    while not ready():
        if not child.running:
            return False
        now = time.monotonic()
        if now - reported >= SAID_EVERY:
            reported = now
            named = what if isinstance(what, str) else what()
            log = f" Its log: {child.log}." if child.log else ""
            say(f"Waiting for {named}, {now - began:.0f} s so far.{log} Ctrl-C ends.")
        pause(0.1)
    return True
