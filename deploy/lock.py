"""Lock files: makes them from pyproject.toml: versions and hashes for every Python and system, no addresses.

Run by `make lock`. Versions stay as they are unless `--upgrade` (or `--upgrade-package NAME`) asks for newer ones.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path("requirements")
UV = Path(".venv-uv/bin/uv")
COMPILE = ("pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes", "--no-header")
# Every lock keeps to the versions of the first, so that tests run on what is deployed.
WITH_APP = ("--constraint", str(FOLDER / "app.lock"))
LOCKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("app", ("pyproject.toml",)),
    ("embedded", ("pyproject.toml", "--extra", "embedded", *WITH_APP)),
    ("server", ("pyproject.toml", "--extra", "server", *WITH_APP)),
    ("dev", ("pyproject.toml", "--extra", "embedded", "--extra", "server", "--extra", "dev", *WITH_APP)),
    ("load", ("pyproject.toml", "--extra", "embedded", "--extra", "load", *WITH_APP)),
    (
        "wearipedia",
        ("pyproject.toml", "--extra", "embedded", "--extra", "wearipedia", str(FOLDER / "wearipedia.in"), *WITH_APP),
    ),
    ("uv", (str(FOLDER / "uv.in"),)),
    # What builds the one package that exists as source only, in the image.
    ("build", (str(FOLDER / "build.in"),)),
)


def main() -> int:
    uv = str(UV) if UV.is_file() else "uv"
    for name, sources in LOCKS:
        lock = FOLDER / f"{name}.lock"
        command = [uv, *COMPILE, *sys.argv[1:], *sources, "--output-file", str(lock)]
        if subprocess.call(command, stdout=subprocess.DEVNULL) != 0:
            return 1
        if "://" in lock.read_text():
            sys.stderr.write(f"{lock} names an address; a lock must not. Look at uv's and pip's own settings.\n")
            return 1
        sys.stdout.write(f"{lock}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
