"""Bring the catalogues of translated texts up to date and compile them. Run by `make messages`; needs no database.

A test and `make lint` compare them with the sources, so a text without a translation is seen before it is served.
"""

from __future__ import annotations

import os
import subprocess
import sys

from deploy.lint import BARE

COMMAND = ("-W", "ignore", "manage.py", "makemessages")


def main() -> int:
    return subprocess.call([sys.executable, *COMMAND, *sys.argv[1:]], env={**os.environ, **BARE})


if __name__ == "__main__":
    sys.exit(main())
