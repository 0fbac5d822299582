"""Package audit: asks for known faults of every package in the lock files; ends non-zero when one is found.

Run by `make audit` and by the gate. Where the advisories cannot be reached nothing is known: that is said loudly and
does not fail, unless AUDIT_REQUIRED=1 is set, as it should be wherever there is a network.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

LOCKS = ("app", "embedded", "dev", "wearipedia", "uv")
PATIENCE = 300  # seconds for a lock file


def audited(lock: str) -> list[dict[str, Any]] | None:
    """Known faults of the packages of a lock file; None where the index could not be queried."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", f"requirements/{lock}.lock"]
    command += ["--require-hashes", "--disable-pip", "--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)  # noqa: S603  ours
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, json.JSONDecodeError, KeyError):
        return None
    return packages


def main() -> int:
    faults, unknown, known = [], [], 0
    for lock in LOCKS:
        packages = audited(lock)
        # An index without advisories answers that there is no such package: that is no audit either.
        unknown += (
            [f"{lock}.lock"]
            if packages is None
            else [package["name"] for package in packages if "skip_reason" in package]
        )
        for package in packages or ():
            known += "skip_reason" not in package
            for fault in package.get("vulns", ()):
                fixed = ", ".join(fault["fix_versions"]) or "no version yet"
                faults.append(f"{lock}: {package['name']} {package['version']}: {fault['id']}, mended in {fixed}")
    for fault in dict.fromkeys(faults):
        sys.stdout.write(f"FAULT  {fault}\n")
    if unknown:
        names = sorted(set(unknown))
        shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        sys.stdout.write(f"!!! NOT AUDITED: the advisories could not be asked about {shown}. No network?\n")
    sys.stdout.write(f"{known} packages audited, {len(set(faults))} known faults.\n")
    return 1 if faults or (unknown and os.environ.get("AUDIT_REQUIRED") == "1") else 0


if __name__ == "__main__":
    sys.exit(main())
