"""OpenAPI export: writes docs/openapi.yaml, the contract, from the code. Run by `make openapi`; needs no database.

A test compares the two, so a change of the API is seen in the diff of the document.
"""

from __future__ import annotations

import os
import subprocess
import sys

from deploy.lint import BARE

COMMAND = ("manage.py", "spectacular", "--validate", "--fail-on-warn", "--file", "docs/openapi.yaml")


def main() -> int:
    return subprocess.call([sys.executable, *COMMAND], env={**os.environ, **BARE})


if __name__ == "__main__":
    sys.exit(main())
