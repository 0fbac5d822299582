"""Template rendering of the monitoring's files from the environment: `python -m deploy.monitoring.render FOLDER`.

Neither Prometheus' configuration nor Alertmanager's can name variables. So the files in this folder hold ${NAME}, and
this writes them with the values into FOLDER before the servers start. Every value comes in as JSON, which is YAML too,
so that no value can become structure.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

SOURCE = Path(__file__).resolve().parent
FILES = ("prometheus.yml", "alertmanager.yml", "blackbox.yml")
# Where alerts say what to do: in the rules as a path in this project.
RUNBOOKS = "docs/runbooks.md"
CLOCK = r"([01]\d|2[0-3]):[0-5]\d"
LOCAL = ("localhost", "127.0.0.1", "::1")


class Unfit(Exception):
    """A variable that must be set or has no sense; the text names it."""


def required(variables: Mapping[str, str], name: str) -> str:
    value = variables.get(name, "").strip()
    if not value:
        raise Unfit(f"{name} is not set in .env: without it nobody would get the alerts.")
    return value


def switch(variables: Mapping[str, str], name: str) -> bool:
    return variables.get(name, "").strip().lower() in ("1", "true", "yes", "on")


def quiet(raw: str) -> list[dict[str, list[dict[str, str]]]]:
    """The hours (UTC) without warnings, from text such as 21:00-06:00, as Alertmanager's intervals; none for ''.

    An interval cannot pass midnight there, so such hours become two. Raises Unfit.
    """
    if not raw.strip():
        return []
    match = re.fullmatch(rf"({CLOCK})-({CLOCK})", raw.strip())
    if not match or match[1] == match[3]:
        raise Unfit(f"ALERT_QUIET must be two times of day in UTC such as 21:00-06:00, not {raw!r}.")
    start, end = match[1], match[3]
    spans = [(start, end)] if start < end else [(start, "24:00")] + ([("00:00", end)] if end != "00:00" else [])
    return [{"times": [{"start_time": first, "end_time": last} for first, last in spans]}]


def targets(public_url: str) -> list[str]:
    """Targets that probe the site from outside. On `localhost` nobody outside can, and its certificate is nobody's."""
    return [] if urlsplit(public_url).hostname in LOCAL else [f"{public_url.rstrip('/')}/health/live"]


def values(variables: Mapping[str, str]) -> dict[str, str]:
    """Values that are filled in, by name, as JSON. Raises Unfit."""
    to, host = required(variables, "ALERT_MAIL_TO"), required(variables, "EMAIL_HOST")
    tls, ssl = switch(variables, "EMAIL_USE_TLS"), switch(variables, "EMAIL_USE_SSL")
    port = variables.get("EMAIL_PORT", "").strip() or ("465" if ssl else "587" if tls else "25")
    public_url = variables.get("PUBLIC_URL", "").strip() or "https://localhost"
    values = {
        "SITE_TARGETS": targets(public_url),
        "SMARTHOST": f"{host}:{port}",
        "HELLO": urlsplit(public_url).hostname or "localhost",
        "EMAIL_FROM": variables.get("DEFAULT_FROM_EMAIL", "").strip() or "trials@localhost",
        "EMAIL_HOST_USER": variables.get("EMAIL_HOST_USER", "").strip(),
        # At port 465 Alertmanager speaks TLS from the first byte; this is about STARTTLS.
        "EMAIL_TLS": tls,
        "ALERT_MAIL_TO": to,
        "ALERT_MAIL_LATER_TO": variables.get("ALERT_MAIL_LATER_TO", "").strip() or to,
        "QUIET": quiet(variables.get("ALERT_QUIET", "")),
    }
    return {name: json.dumps(value) for name, value in values.items()}


def fill(text: str, filled: Mapping[str, str]) -> str:
    return re.sub(r"\$\{([A-Z0-9_]+)\}", lambda match: filled[match[1]], text)


def render(folder: Path, variables: Mapping[str, str]) -> None:
    """Writes every file that the servers read into `folder`. Raises Unfit before it writes any."""
    filled = values(variables)
    runbooks = variables.get("RUNBOOKS_URL", "").strip() or RUNBOOKS
    if not re.fullmatch(r"[^\s\"'{}]+", runbooks):
        raise Unfit(f"RUNBOOKS_URL must be an address, not {runbooks!r}.")
    for name in FILES:
        (folder / name).write_text(fill((SOURCE / name).read_text(), filled))
    for inner in ("rules", "templates"):
        shutil.rmtree(folder / inner, ignore_errors=True)
        (folder / inner).mkdir()
        for path in (SOURCE / inner).iterdir():
            (folder / inner / path.name).write_text(path.read_text().replace(RUNBOOKS, runbooks))


def main() -> int:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    try:
        render(folder, os.environ)
    except Unfit as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    sys.stdout.write(f"The monitoring's files are in {folder}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
