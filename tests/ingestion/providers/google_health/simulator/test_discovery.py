"""Every member the simulator writes and every path it serves is one of Google's own discovery document."""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Iterator
from typing import Any

import pytest

from ingestion.providers.google_health.simulator.types import TYPES, Kind
from tests.ingestion.providers.google_health.simulator.conftest import Google, span

documents = pytest.importorskip(
    "googleapiclient.discovery_cache.documents", reason="google-api-python-client is not installed"
)
DISCOVERY = json.loads((importlib.resources.files(documents) / "health.v4.json").read_text())
SCHEMAS = DISCOVERY["schemas"]
START, END = "2026-11-16", "2026-11-22"
MEMBERS = {
    Kind.SAMPLE: "sample_time.physical_time",
    Kind.INTERVAL: "interval.start_time",
    Kind.DAILY: "date",
    Kind.SESSION: "interval.civil_start_time",
    Kind.SLEEP: "interval.end_time",
}
LISTED = [t for t in TYPES.values() if "L" in t.actions and t.scope != "N"]
ROLLED = [t for t in TYPES.values() if "U" in t.actions and t.scope != "N"]
KINDS: dict[str, type | tuple[type, ...]] = {"string": str, "integer": int, "boolean": bool, "number": (int, float)}
# Types for which the generator has data in those days, for the accounts asked.
FILLED = {
    "heart-rate", "heart-rate-variability", "oxygen-saturation", "respiratory-rate-sleep-summary", "steps", "distance",
    "daily-resting-heart-rate", "daily-heart-rate-variability", "daily-oxygen-saturation", "daily-respiratory-rate",
    "daily-sleep-temperature-derivations", "weight", "body-fat", "active-zone-minutes", "daily-vo2-max", "exercise",
    "sleep",
}  # fmt: skip


def wrong(value: Any, schema: dict[str, Any], where: str) -> Iterator[str]:
    """What does not fit a schema: unknown members, other JSON types, enum values that do not exist."""
    if "$ref" in schema:
        yield from wrong(value, SCHEMAS[schema["$ref"]], where)
    elif isinstance(value, dict):
        known = schema.get("properties")
        for name, member in value.items():
            # An operation's response may hold anything.
            if known is not None:
                inner = known.get(name)
                yield from wrong(member, inner, f"{where}.{name}") if inner else [f"{where}.{name} is unknown"]
    elif isinstance(value, list):
        for item in value:
            yield from wrong(item, schema["items"], f"{where}[]")
    elif not isinstance(value, KINDS[schema["type"]]):
        yield f"{where} is {value!r}, not a {schema['type']}"
    elif value not in schema.get("enum", [value]):
        yield f"{where} is {value!r}, none of its enum"


def fits(value: Any, schema: str) -> bool:
    problems = sorted(set(wrong(value, {"$ref": schema}, schema)))
    assert not problems
    return True


def filtered(data_type: Any) -> str:
    physical = data_type.kind in (Kind.SAMPLE, Kind.INTERVAL, Kind.SLEEP)
    suffix = "T00:00:00Z" if physical else ""
    return span(f"{data_type.snake}.{MEMBERS[data_type.kind]}", START + suffix, END + suffix)


@pytest.mark.parametrize("data_type", LISTED, ids=lambda t: t.id)
def test_list_and_reconcile_fit_their_schemas(google: Google, data_type: Any) -> None:
    found = 0
    for user in (4, 5, 13):
        listed = google.points(data_type.id, user=user, filter=filtered(data_type))
        merged = google.points(data_type.id, ":reconcile", user=user, filter=filtered(data_type))
        assert fits(listed, "ListDataPointsResponse")
        assert fits(merged, "ReconcileDataPointsResponse")
        found += len(listed.get("dataPoints", []))
    assert bool(found) == (data_type.id in FILLED)


@pytest.mark.parametrize("data_type", ROLLED, ids=lambda t: t.id)
def test_rollups_fit_their_schemas(google: Google, data_type: Any) -> None:
    physical = {"range": {"startTime": f"{START}T00:00:00Z", "endTime": f"{END}T00:00:00Z"}}
    civil = {"range": {"start": {"date": {"year": 2026, "month": 11, "day": 16}},
                       "end": {"date": {"year": 2026, "month": 11, "day": 22}}}}  # fmt: skip
    hourly = google.rollup(data_type.id, "rollUp", {**physical, "windowSize": "3600s", "pageSize": 144}, user=5)
    daily = google.rollup(data_type.id, "dailyRollUp", civil, user=5)
    assert hourly.status == daily.status == 200
    assert fits(json.loads(hourly.body), "RollUpDataPointsResponse")
    assert fits(json.loads(daily.body), "DailyRollUpDataPointsResponse")


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("identity", "Identity"),
        ("profile", "Profile"),
        ("settings", "Settings"),
        ("pairedDevices", "ListPairedDevicesResponse"),
    ],
)
def test_resources_fit_their_schemas(google: Google, name: str, schema: str) -> None:
    assert fits(json.loads(google.ask(name, user=5).body), schema)


def test_the_types_table_has_google_names_for_its_members() -> None:
    points = set(SCHEMAS["DataPoint"]["properties"]) | set(SCHEMAS["RollupDataPoint"]["properties"])
    assert {data_type.key for data_type in TYPES.values()} <= points


def methods(node: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for method in node.get("methods", {}).values():
        yield method["httpMethod"], method["flatPath"]
    for child in node.get("resources", {}).values():
        yield from methods(child)


def test_the_paths_served_are_google_paths() -> None:
    data, project = "v4/users/{usersId}", "v4/projects/{projectsId}/subscribers"
    points = f"{data}/dataTypes/{{dataTypesId}}/dataPoints"
    served = {
        ("GET", points),
        ("GET", f"{points}:reconcile"),
        ("GET", f"{points}/{{dataPointsId}}"),
        ("POST", f"{points}:rollUp"),
        ("POST", f"{points}:dailyRollUp"),
        *(("GET", f"{data}/{name}") for name in ("identity", "profile", "settings", "pairedDevices")),
        ("GET", f"{data}/pairedDevices/{{pairedDevicesId}}"),
        ("POST", project),
        ("GET", project),
        ("PATCH", f"{project}/{{subscribersId}}"),
        ("DELETE", f"{project}/{{subscribersId}}"),
        ("POST", f"{project}/{{subscribersId}}/subscriptions"),
        ("GET", f"{project}/{{subscribersId}}/subscriptions"),
    }
    assert served <= set(methods(DISCOVERY))
