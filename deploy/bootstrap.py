"""Set-up for `make demo`, `make test` and their like: a virtual environment that holds exactly one lock file.

Standard library only, and syntax that Python 3.7 still reads, because this runs before anything is installed
and must be able to say which Python is missing. Usage, normally through the Makefile:

    python3 deploy/bootstrap.py [--lock embedded|dev|wearipedia|load] [--serve] -- COMMAND...

makes or refreshes the environment, then becomes `ENVIRONMENT/bin/python COMMAND...`. With `--serve` the command
is the product itself: the port and a second start in the same folder are looked at before any long work.

uv does the installing. It lives in an environment of its own (`.venv-uv`), from a hashed lock like all the rest.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

if not __package__:  # started as a program, which finds what lies beside it only
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from config.embedded.setup import REDIS_ADVICE, REDIS_SERVERS, ROOT, SetupError, check_port, hold, port_wanted

VAR = ROOT / "var"
OLDEST, NEWEST = (3, 11), (3, 14)
# The embedded Redis is a wheel for Linux that stops at this Python. PostgreSQL's goes to the newest.
NEWEST_WITH_REDIS = (3, 12)
NEWEST_WITH_WEARIPEDIA = (3, 12)
# Locks that get an environment beside the usual one: they bring much that nothing else needs.
OF_THEIR_OWN = ("wearipedia", "load")
# What uv is asked for where that limit bites: it takes what it finds, else fetches the newest of these.
FOR_UV = ">=3.11,<3.13"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


# ---------------------------------------------------------------- before any long work


def check_not_running() -> None:
    """Refuse a second product in the same folder: they would share the data."""
    lock = hold(VAR / "product.lock")
    if lock is None:
        where = (VAR / "product.lock").read_text().strip() or "another terminal"
        raise SetupError("Wearable Trials already runs in this folder (%s). Stop that one with Ctrl-C first." % where)
    os.close(lock)


def configured(name: str) -> bool:
    """Whether `name` (or NAME_FILE) has a value in the environment or in `.env`."""
    names = (name, name + "_FILE")
    if any(os.environ.get(each) for each in names):
        return True
    dotenv = ROOT / ".env"
    lines = dotenv.read_text(encoding="utf-8").splitlines() if dotenv.is_file() else []
    pairs = (line.replace("export ", "", 1).strip().partition("=") for line in lines)
    return any(key.strip() in names and value.strip().strip("'\"") for key, _, value in pairs)


def redis_installed() -> bool:
    return any(shutil.which(name) for name in REDIS_SERVERS)


# ---------------------------------------------------------------- which Python


def version_of(python: str) -> tuple[int, int] | None:
    """(major, minor) of an interpreter, or None when it does not run (a shim of a version manager may not)."""
    with contextlib.suppress(OSError, subprocess.SubprocessError, ValueError):
        code = "import sys; print(*sys.version_info[:2])"
        result = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=30, check=True)
        major, minor = result.stdout.split()
        return int(major), int(minor)
    return None


def interpreters() -> list[tuple[str, tuple[int, int]]]:
    """Usable interpreters, best first: the one that runs this file, then newer to older names on the PATH.

    PYTHON=... leaves no choice but itself. Raises SetupError when there is none.
    """
    chosen = os.environ.get("PYTHON")
    names = [chosen] if chosen else [sys.executable] + ["python3.%d" % minor for minor in range(14, 10, -1)]
    versions = []
    for name in names:
        path = shutil.which(name)
        version = version_of(path) if path else None
        if path and version and OLDEST <= version <= NEWEST:
            versions.append((path, version))
    if not versions:
        here = "%s is %d.%d" % ((chosen or "python3",) + (version_of(chosen or sys.executable) or (0, 0)))
        raise SetupError(
            "Wearable Trials needs Python 3.11 to 3.14; %s, and no other was found. Install one "
            "(`apt install python3.12 python3.12-venv`, `dnf install python3.12`, `brew install python@3.12`) "
            "or name it: make demo PYTHON=/path/to/python3.12" % here.replace(" is 0.0", " does not run here")
        )
    return versions


def python_for(lock: str, serve: bool) -> str:
    """Argument for `uv venv --python`: a path, or FOR_UV for uv to find or to bring one.

    Embedded Redis decides where no Redis is installed; the tests do without it, so for them any Python will do.
    """
    versions = interpreters()
    limit = NEWEST
    if lock == "wearipedia":
        limit = NEWEST_WITH_WEARIPEDIA
    elif not redis_installed() and not configured("REDIS_URL"):
        if sys.platform.startswith("linux"):
            limit = NEWEST_WITH_REDIS
        elif serve:
            raise SetupError(REDIS_ADVICE)
    for path, version in versions:
        if version <= limit:
            return path
    if os.environ.get("PYTHON") and not serve and lock != "wearipedia":
        return versions[0][0]
    if limit == NEWEST_WITH_REDIS and lock != "wearipedia":
        say("No Redis is installed, and the embedded one stops at Python 3.12: looking for that")
    return FOR_UV


# ---------------------------------------------------------------- the environment


def run(*command: str) -> int:
    return subprocess.call([str(part) for part in command], cwd=str(ROOT))


def digest(*parts: str | bytes) -> str:
    return hashlib.sha256(b"\0".join(p.encode() if isinstance(p, str) else p for p in parts)).hexdigest()


def uv_command() -> str:
    """The path of uv: the pinned one in `.venv-uv`, else (no venv module on this machine) one on the PATH."""
    home, lock = ROOT / ".venv-uv", ROOT / "requirements" / "uv.lock"
    stamp, mark = home / "installed", digest(lock.read_bytes(), str(home))
    if stamp.is_file() and stamp.read_text() == mark:
        return str(home / "bin" / "uv")
    base = interpreters()[0][0]
    if version_of(base) and subprocess.call([base, "-c", "import ensurepip, venv"], stderr=subprocess.DEVNULL) == 0:
        say("Fetching uv, which installs the rest")
        made = run(base, "-m", "venv", "--clear", str(home)) == 0
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if not made or run(*pip, "--require-hashes", "--only-binary=:all:", "-r", str(lock)) != 0:
            raise SetupError("uv could not be installed (see above). Is the machine on the network?")
        stamp.write_text(mark)
        return str(home / "bin" / "uv")
    on_path = shutil.which("uv")
    if on_path:
        return on_path
    raise SetupError("Python's venv module is missing: `apt install python3-venv` (Debian, Ubuntu), then start again.")


def make_environment(home: Path, python: str, uv: str, serve: bool) -> None:
    """A new virtual environment at `home`. Raises SetupError."""
    say("Making %s with Python %s" % (home.name, python))
    if run(uv, "venv", "--quiet", "--clear", "--python", python, str(home)) == 0:
        return
    if python == FOR_UV and home.name == ".venv":
        fallback = interpreters()[0][0]
        if serve:
            raise SetupError(REDIS_ADVICE)
        if run(uv, "venv", "--quiet", "--clear", "--python", fallback, str(home)) == 0:
            return
    raise SetupError("The virtual environment %s could not be made (see above)." % home.name)


def environment(lock: str, serve: bool) -> Path:
    """The environment for a lock file, made or brought up to date where needed. Returns its interpreter.

    `.venv` serves the product and the tests: once it holds the tests' tools, `make demo` keeps them.
    """
    home = ROOT / (".venv-" + lock if lock in OF_THEIR_OWN else ".venv")
    stamps = {name: home / ("installed-" + name) for name in ("embedded", "dev", *OF_THEIR_OWN)}
    if lock == "embedded" and stamps["dev"].is_file():
        lock = "dev"
    file = ROOT / "requirements" / (lock + ".lock")
    if not file.is_file():
        raise SetupError("requirements/%s.lock is missing." % lock)
    python = home / "bin" / "python"
    version = version_of(str(python)) if python.exists() else None
    newest = NEWEST if not serve or redis_installed() or configured("REDIS_URL") else NEWEST_WITH_REDIS
    fit = version is not None and OLDEST <= version <= newest
    mark = digest(file.read_bytes(), "%s.%s" % (version or ("", "")), str(home))
    if fit and stamps[lock].is_file() and stamps[lock].read_text() == mark:
        return python
    uv = uv_command()
    if not fit:
        make_environment(home, python_for(lock, serve), uv, serve)
        version = version_of(str(python))
        mark = digest(file.read_bytes(), "%s.%s" % (version or ("", "")), str(home))
    say("Installing the packages of requirements/%s.lock" % lock)
    for stamp in stamps.values():
        if stamp.is_file():
            stamp.unlink()
    if run(uv, "pip", "sync", "--quiet", "--require-hashes", "--python", str(python), str(file)) != 0:
        raise SetupError("The packages could not be installed (see above). Is the machine on the network?")
    stamps[lock].write_text(mark)
    return python


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lock", choices=("embedded", "dev", *OF_THEIR_OWN), default="embedded")
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    os.chdir(str(ROOT))
    if os.geteuid() == 0:
        os.umask(0o022)  # root's PostgreSQL runs as another user, who must be able to read the packages
    os.environ.setdefault("UV_LINK_MODE", "copy")
    if given.serve:
        check_not_running()
        check_port(port_wanted())
    lock = hold(VAR / "setup.lock")
    while lock is None:
        say("Another set-up runs in this folder; waiting for it")
        time.sleep(3)
        lock = hold(VAR / "setup.lock")
    python = environment(given.lock, given.serve)
    os.close(lock)
    os.environ["VIRTUAL_ENV"] = str(python.parent.parent)
    sys.stdout.flush()
    os.execv(str(python), [str(python)] + (command or ["--version"]))


if __name__ == "__main__":
    try:
        main()
    except SetupError as fault:
        sys.exit("\n%s" % fault)
    except KeyboardInterrupt:
        sys.exit("\nStopped.")
