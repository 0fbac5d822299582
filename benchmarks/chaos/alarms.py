"""A real Prometheus with the product's own rules, whose patience is divided by one factor."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from benchmarks import stack
from benchmarks.chaos.installation import TOKEN, Installation
from config.embedded.environment import ROOT
from config.embedded.processes import Child, wait_until
from config.embedded.redis_server import free_port

# Each rule's `for:` is divided by this, as the heartbeats are: ten minutes are twenty seconds.
FACTOR = 30
SCRAPE_SECONDS = 2
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
RULES = ROOT / "deploy" / "monitoring" / "rules"


def hurried(rules: str) -> str:
    """The rules with every `for:` divided."""

    def shorter(match: re.Match[str]) -> str:
        return f"{match[1]}{round(int(match[2]) * SECONDS[match[3]] * 1000 / FACTOR)}ms"

    return re.sub(r"^(\s*for:\s*)(\d+)([smhd])\s*$", shorter, rules, flags=re.MULTILINE)


def configuration(made: Installation) -> str:
    web = made.address.removeprefix("http://")
    return f"""
global: {{ scrape_interval: {SCRAPE_SECONDS}s, scrape_timeout: {SCRAPE_SECONDS}s, evaluation_interval: 1s }}
rule_files: [rules/*.yml]
scrape_configs:
  - job_name: state
    metrics_path: /metrics/state
    authorization: {{ credentials: {TOKEN} }}
    static_configs: [{{ targets: ["{web}"] }}]
  - job_name: web
    metrics_path: /metrics
    authorization: {{ credentials: {TOKEN} }}
    static_configs: [{{ targets: ["{web}"] }}]
"""


@contextlib.contextmanager
def prometheus(made: Installation) -> Iterator[str]:
    """Its address, while it runs; empty where it is not installed, or the product gives no metrics."""
    program = shutil.which("prometheus")
    if program is None:
        print("ALERTS ARE NOT LOOKED AT: Prometheus is not installed (Debian: apt install prometheus).")
        yield ""
        return
    if httpx.get(f"{made.address}/metrics/state", timeout=20).status_code == 404:
        print("ALERTS ARE NOT LOOKED AT: there is no /metrics/state.")
        yield ""
        return
    folder = made.folder / "prometheus"
    (folder / "rules").mkdir(parents=True)
    for path in RULES.glob("*.yml"):
        (folder / "rules" / path.name).write_text(hurried(path.read_text()))
    (folder / "prometheus.yml").write_text(configuration(made))
    port = free_port()
    command = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    child = Child("prometheus", command, {"PATH": "/usr/bin:/bin"}, made.folder / "prometheus.log", directory=folder)
    child.start()
    try:
        address = f"http://127.0.0.1:{port}"
        if not wait_until(lambda: stack.responds(f"{address}/-/ready"), child, "Prometheus", time.sleep):
            raise SystemExit(f"Prometheus does not start:\n{log_end(made.folder / 'prometheus.log')}")
        yield address
    finally:
        child.stop()


def log_end(path: Path) -> str:
    return path.read_text()[-3000:]
