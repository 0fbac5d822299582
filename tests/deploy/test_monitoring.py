"""The monitoring's files agree: rules with their tests, runbooks and metrics, dashboards with their table."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.monitoring import dashboards, render
from deploy.monitoring.panels import DASHBOARDS
from tests.deploy.compose import services
from tests.deploy.exported import ALL
from tests.paths import ROOT

FOLDER = ROOT / "deploy" / "monitoring"
ENOUGH = {"ALERT_MAIL_TO": "a@example.org", "EMAIL_HOST": "smtp.example.org"}
# Words of PromQL that look like metrics.
LANGUAGE = set(
    re.findall(
        r"\w+",
        """absent and avg by changes count deriv histogram_quantile ignoring increase max min min_over_time offset on or
        predict_linear rate sum time topk unless vector without""",
    )
)


def rules() -> Iterator[dict[str, Any]]:
    for path in sorted((FOLDER / "rules").glob("*.yml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


ALERTS = [rule for rule in rules() if "alert" in rule]
RECORDED = {rule["record"] for rule in rules() if "record" in rule}
NAMES = sorted({rule["alert"] for rule in ALERTS})


def metrics_of(expression: str) -> set[str]:
    """The names of metrics in an expression, without what stands in braces, brackets and lists of labels."""
    bare = re.sub(r'"[^"]*"|\{[^{}]*\}|\[[^\]]*\]', "", expression)
    bare = re.sub(r"\b(by|on|without|ignoring)\s*\([^()]*\)", "", bare)
    found = set(re.findall(r"(?<![\w.])[a-zA-Z_][\w:]*", bare))
    return {re.sub(r"_(bucket|count|sum)$", "", name) if name not in ALL else name for name in found - LANGUAGE}


def test_there_are_rules() -> None:
    assert len(NAMES) >= 12


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_each_alert_says_how_bad_it_is_what_happened_and_where_help_stands(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["labels"]["area"]
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    assert rule["annotations"]["runbook"] == f"docs/runbooks.md#{rule['alert'].lower()}"


def test_each_alert_has_its_runbook_and_each_runbook_its_alert() -> None:
    text = (ROOT / "docs" / "runbooks.md").read_text()
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", text, flags=re.M | re.S))
    assert sorted(sections) == NAMES
    for name, section in sections.items():
        asked = re.findall(r"^\*\*(.+?)\*\* \S", section, flags=re.M)
        assert asked == ["What it means.", "What to look at.", "What to do."], name


def test_each_alert_is_tested_to_fire_and_to_stay_silent() -> None:
    tested = {
        test["name"] for path in (FOLDER / "tests").glob("*.yml") for test in yaml.safe_load(path.read_text())["tests"]
    }
    for rule in ALERTS:
        name, severity = rule["alert"], rule["labels"]["severity"]
        alone = sum(other["alert"] == name for other in ALERTS) == 1
        for kind in ("fires", "stays silent"):
            assert f"{name} {kind}" + ("" if alone else f", {severity}") in tested


def test_rules_name_only_metrics_that_are_exported() -> None:
    for rule in rules():
        assert metrics_of(rule["expr"]) <= ALL | RECORDED, rule.get("alert") or rule["record"]


def test_dashboards_name_only_metrics_that_are_exported() -> None:
    for _, panels in DASHBOARDS.values():
        for panel in panels:
            for query, _ in panel.queries:
                assert metrics_of(query) <= ALL | RECORDED, panel.title


def test_dashboards_are_those_of_the_table() -> None:
    files = {path.stem: path.read_text() for path in dashboards.FOLDER.glob("*.json")}
    assert files == {name: dashboards.dashboard(name) for name in DASHBOARDS}


def test_dashboards_have_names_of_their_own_and_ask_the_chosen_source() -> None:
    found = [json.loads(path.read_text()) for path in dashboards.FOLDER.glob("*.json")]
    assert len({each["uid"] for each in found}) == len(found) == 5
    for each in found:
        assert each["templating"]["list"][0]["name"] == "datasource"
        assert all(panel["datasource"]["uid"] == "${datasource}" for panel in each["panels"])


def test_what_prometheus_asks_for_is_in_the_compose_file(tmp_path: Path) -> None:
    render.render(tmp_path, ENOUGH)
    asked = yaml.safe_load((tmp_path / "prometheus.yml").read_text())["scrape_configs"]
    hosts = {name for job in asked for each in job.get("dns_sd_configs", []) for name in each["names"]}
    hosts |= {
        target.split(":")[0] for job in asked for each in job.get("static_configs", []) for target in each["targets"]
    }
    hosts |= {
        each["replacement"].split(":")[0]
        for job in asked
        for each in job.get("relabel_configs", [])
        if "replacement" in each
    }
    assert hosts - {"127.0.0.1"} <= set(services())


@pytest.mark.parametrize("missing", sorted(ENOUGH))
def test_the_monitoring_does_not_start_where_nobody_gets_the_alerts(tmp_path: Path, missing: str) -> None:
    with pytest.raises(render.Unfit, match=missing):
        render.render(tmp_path, {**ENOUGH, missing: " "})
    assert not list(tmp_path.iterdir())


def test_what_env_says_reaches_alertmanager_as_values_only(tmp_path: Path) -> None:
    odd = 'x"]\nroute: {}\n#'
    render.render(tmp_path, {**ENOUGH, "ALERT_MAIL_TO": odd, "EMAIL_USE_SSL": "True", "EMAIL_HOST_USER": "'a: b'"})
    made = yaml.safe_load((tmp_path / "alertmanager.yml").read_text())
    assert [each["email_configs"][0]["to"] for each in made["receivers"]] == [odd.strip()] * 2
    assert made["global"]["smtp_smarthost"] == "smtp.example.org:465"
    assert made["global"]["smtp_auth_username"] == "'a: b'"
    assert made["global"]["smtp_require_tls"] is False


@pytest.mark.parametrize(
    ("hours", "spans"),
    [
        ("", []),
        ("01:00-05:30", [("01:00", "05:30")]),
        ("21:00-06:00", [("21:00", "24:00"), ("00:00", "06:00")]),
        ("21:00-00:00", [("21:00", "24:00")]),
    ],
)
def test_quiet_hours_may_pass_midnight(hours: str, spans: list[tuple[str, str]]) -> None:
    found = [span for each in render.quiet(hours) for span in each["times"]]
    assert [(each["start_time"], each["end_time"]) for each in found] == spans


@pytest.mark.parametrize("hours", ["21-6", "21:00", "25:00-06:00", "06:00-06:00"])
def test_quiet_hours_without_sense_stop_the_start(hours: str) -> None:
    with pytest.raises(render.Unfit, match="ALERT_QUIET"):
        render.quiet(hours)


def test_alerts_link_to_the_runbooks_where_the_team_keeps_them(tmp_path: Path) -> None:
    render.render(tmp_path, {**ENOUGH, "RUNBOOKS_URL": "https://handbook.example.org/r"})
    text = "".join(path.read_text() for path in (tmp_path / "rules").iterdir())
    assert "https://handbook.example.org/r#databasenotready" in text
    assert "runbook: docs/" not in text


def test_localhost_is_not_asked_for_from_outside() -> None:
    assert render.targets("https://localhost:8443") == []
    assert render.targets("https://trials.example.org/") == ["https://trials.example.org/health/live"]
