"""Checks the monitoring with Prometheus' and Alertmanager's own tools. Run by `make monitoring-check`.

The rules and their tests, both configurations as they are rendered, a table of who gets which alert; by a real
Alertmanager on loopback, a table of which alert silences which; and by a real Prometheus, every query of a dashboard.
The tools are those on the PATH; Debian has them in `prometheus` and `prometheus-alertmanager`.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.monitoring.panels import DASHBOARDS
from deploy.monitoring.render import SOURCE, render

# Where to find each tool; Debian calls Alertmanager after its package.
NAMES = {
    "promtool": ("promtool",),
    "prometheus": ("prometheus",),
    "amtool": ("amtool",),
    "alertmanager": ("alertmanager", "prometheus-alertmanager"),
}
VARIABLES = {
    "ALERT_MAIL_TO": "now@example.org",
    "ALERT_MAIL_LATER_TO": "later@example.org",
    "ALERT_QUIET": "21:00-06:00",
    "EMAIL_HOST": "127.0.0.1",
    "EMAIL_PORT": "9",
    "PUBLIC_URL": "https://trials.example.org",
    "RUNBOOKS_URL": "https://handbook.example.org/runbooks",
}
# Labels of an alert, and who gets it.
ROUTES: tuple[tuple[dict[str, str], str], ...] = (
    ({"alertname": "DatabaseNotReady", "severity": "critical", "area": "database"}, "at-once"),
    ({"alertname": "BackupTooOld", "severity": "critical", "area": "backup"}, "at-once"),
    ({"alertname": "SyncLagHigh", "severity": "critical", "area": "sync"}, "at-once"),
    ({"alertname": "SyncLagHigh", "severity": "warning", "area": "sync"}, "later"),
    ({"alertname": "DiskFillingSoon", "severity": "warning", "area": "host"}, "later"),
    ({"alertname": "OfSomebodysOwn", "area": "host"}, "later"),
)
# Alerts that come together (name, severity, area), and those of them that stay silent.
TOGETHER: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (
        ("DatabaseNotReady critical database", "SyncLagHigh warning sync", "WorkersSilent critical workers"),
        ("SyncLagHigh", "WorkersSilent"),
    ),
    (
        ("DatabaseDown critical database", "WebErrors critical web", "StorageNotWritable critical database"),
        ("WebErrors", "StorageNotWritable"),
    ),
    (("DatabaseDown critical database", "DiskAlmostFull critical host", "BackupTooOld critical backup"), ()),
    (("DatabaseDown critical database", "SiteUnreachable critical door"), ()),
    (
        ("RedisNotReady critical workers", "RedisDown critical workers", "SchedulerSilent critical workers"),
        ("RedisDown", "SchedulerSilent"),
    ),
    (("SchedulerSilent critical workers", "ConnectionsOverdue warning sync"), ("ConnectionsOverdue",)),
    (("VendorFailing warning vendor", "SyncLagHigh warning sync", "AuditUnsealed warning trust"), ("SyncLagHigh",)),
    (("WebDown critical web", "SiteUnreachable critical door", "StateUnknown critical monitoring"),
     ("SiteUnreachable", "StateUnknown")),
    (("DiskAlmostFull critical host", "DiskFillingSoon warning host"), ("DiskFillingSoon",)),
    (("SyncLagHigh critical sync", "MailStuck warning mail"), ()),
)  # fmt: skip


class Missing(Exception):
    """A tool cannot be found; the text says how to get it."""


def tool(name: str) -> str:
    """The path of a tool. Raises Missing."""
    for each in NAMES[name]:
        if program := shutil.which(each):
            return program
    raise Missing(f"{name} is missing: `apt install prometheus prometheus-alertmanager`, or put it on the PATH.")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def passes(what: str, *command: str, cwd: Path | None = None) -> bool:
    """Whether a command ends well; its words are shown only when it does not."""
    done = subprocess.run(command, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    say(f"  {'good' if done.returncode == 0 else 'BAD '}  {what}")
    if done.returncode:
        say(done.stdout)
    return done.returncode == 0


def rules_and_configurations(folder: Path) -> list[bool]:
    """promtool and amtool on what is rendered, and on the tests of every alert."""
    promtool, amtool = tool("promtool"), tool("amtool")
    token, password = folder / "metrics_token", folder / "email_host_password"
    token.touch()
    password.touch()
    for name in ("prometheus.yml", "alertmanager.yml"):  # the secrets' places in a container do not exist here
        text = (folder / name).read_text()
        (folder / name).write_text(text.replace("/run/secrets", str(folder)))
    rules = [str(path) for path in sorted((folder / "rules").glob("*.yml"))]
    tests = [str(path) for path in sorted((SOURCE / "tests").glob("*.yml"))]
    config = str(folder / "alertmanager.yml")
    return [
        passes("promtool check rules", promtool, "check", "rules", *rules),
        passes("promtool check config", promtool, "check", "config", str(folder / "prometheus.yml")),
        passes("promtool test rules", promtool, "test", "rules", *tests),
        passes("amtool check-config", amtool, "check-config", config),
        *(
            passes(
                f"{labels['alertname']} ({labels.get('severity', 'no severity')}) reaches {receiver}",
                *(amtool, "config", "routes", "test", f"--config.file={config}", f"--verify.receivers={receiver}"),
                *(f"{name}={value}" for name, value in labels.items()),
            )
            for labels, receiver in ROUTES
        ),
    ]


@contextmanager
def server(name: str, folder: Path, *arguments: str) -> Iterator[str]:
    """A real Prometheus or Alertmanager in `folder`; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / f"{name}.log"
    with log.open("w") as lines:
        command = [tool(name), f"--web.listen-address=127.0.0.1:{port}", *arguments]
        running = subprocess.Popen(command, cwd=folder, stdout=lines, stderr=lines)
    address = f"http://127.0.0.1:{port}"
    try:
        if not answers(f"{address}/-/ready", running):
            raise Missing(f"{name} did not start: {log.read_text()[-500:]}")
        yield address
    finally:
        running.terminate()
        running.wait(10)


def answers(address: str, running: subprocess.Popen[bytes]) -> bool:
    """Whether it does within 30 seconds, as long as the program runs."""
    until = time.monotonic() + 30
    while time.monotonic() < until and running.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return True
        except OSError:
            time.sleep(0.1)
    return False


def post(address: str, alerts: tuple[str, ...], **more: str) -> None:
    sent = []
    for alert in alerts:
        name, severity, area = alert.split()
        sent.append({"labels": {"alertname": name, "severity": severity, "area": area, "instance": "here"}, **more})
    request = urllib.request.Request(f"{address}/api/v2/alerts", data=json.dumps(sent).encode(), method="POST")
    request.add_header("Content-Type", "application/json")
    urllib.request.urlopen(request, timeout=5).close()


def silent_among(address: str, alerts: tuple[str, ...]) -> set[str]:
    """Which of these alerts Alertmanager holds back when they come together. They are over afterwards."""
    post(address, alerts)
    time.sleep(0.2)
    with urllib.request.urlopen(f"{address}/api/v2/alerts?active=true&inhibited=true", timeout=5) as answer:
        known = json.load(answer)
    now = dt.datetime.now(dt.UTC)
    post(address, alerts, startsAt=(now - dt.timedelta(hours=1)).isoformat(), endsAt=now.isoformat())
    time.sleep(0.2)
    return {each["labels"]["alertname"] for each in known if each["status"]["inhibitedBy"]}


def inhibitions(folder: Path) -> list[bool]:
    """Each row of TOGETHER, asked of a real Alertmanager."""
    results = []
    more = ("--config.file=alertmanager.yml", "--storage.path=alertmanager", "--cluster.listen-address=")
    with server("alertmanager", folder, *more) as address:
        for alerts, silent in TOGETHER:
            held = silent_among(address, alerts)
            results.append(held == set(silent))
            names = " + ".join(each.split()[0] for each in alerts)
            say(f"  {'good' if results[-1] else 'BAD '}  {names}: silent {', '.join(sorted(held)) or 'none'}")
    return results


def queries(folder: Path) -> list[bool]:
    """Whether Prometheus can read every query of the dashboards. It has nothing to answer them with."""
    (folder / "empty.yml").touch()
    wrong = []
    titled = [(title, query) for title, panels in DASHBOARDS.values() for panel in panels for query, _ in panel.queries]
    with server("prometheus", folder, "--config.file=empty.yml", "--storage.tsdb.path=prometheus") as address:
        for title, query in titled:
            text = urllib.parse.urlencode({"query": query.replace("$__rate_interval", "5m")})
            try:
                urllib.request.urlopen(f"{address}/api/v1/query?{text}", timeout=10).close()
            except urllib.error.HTTPError as fault:
                wrong.append(f"{title}: {query}: {fault.read().decode()}")
    say(f"  {'BAD ' if wrong else 'good'}  {len(titled)} queries of dashboards")
    for each in wrong:
        say(each)
    return [not wrong]


def main() -> int:
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            render(folder, VARIABLES)
            results = [*rules_and_configurations(folder), *inhibitions(folder), *queries(folder)]
    except Missing as fault:
        say(str(fault))
        return 1
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
