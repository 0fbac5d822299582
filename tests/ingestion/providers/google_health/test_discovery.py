"""What the provider asks and reads exists in Google's own description of the API, which ships with its library."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import msgspec
import pytest
from django.core.cache.backends.base import BaseCache

from ingestion.providers.google_health import account, data_types, exercise, sessions, sleep
from ingestion.providers.google_health.client import GoogleHealth
from ingestion.providers.google_health.config import GOOGLE_WEARABLES, GoogleConfig
from ingestion.providers.google_health.data_types import DATA_TYPES
from ingestion.providers.google_health.google_type import GoogleType, Kind
from ingestion.providers.google_health.requests import fields
from metrics.local_time import LocalCalendar
from tests.ingestion.providers.google_health.discovery import known
from tests.ingestion.providers.google_health.server import CannedResponse, FakeGoogle
from tests.ingestion.providers.google_health.test_client import DAY, END, START

LISTED = [data_type for data_type in DATA_TYPES.values() if data_type.kind is not Kind.ROLLUP]
ROLLED_UP = [data_type for data_type in DATA_TYPES.values() if data_type.rollup]
NUMBERS = {("number", "double"), ("string", "int64"), ("integer", "int32")}


@pytest.fixture
def schema(discovery: dict[str, Any]) -> Callable[[str], dict[str, Any]]:
    return lambda name: discovery["schemas"][name]["properties"]


Schema = Callable[[str], dict[str, Any]]


def camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def named(schema: Schema, part: dict[str, Any]) -> dict[str, Any]:
    """The members of what a property holds, or its elements."""
    return schema(part.get("$ref") or part["items"]["$ref"])


def walk_mask(schema: Schema, mask: str, members: dict[str, Any]) -> list[str]:
    """Paths of a fields mask that the schema does not know."""
    unknown: list[str] = []
    stack = [members]
    last: dict[str, Any] = {}
    for word in re.findall(r"\w+|[(),]", mask):
        if word == "(":
            stack.append(named(schema, last))
        elif word == ")":
            stack.pop()
        elif word != ",":
            if word not in stack[-1]:
                unknown.append(word)
            last = stack[-1].get(word, {})
    return unknown


def test_the_mask_reader_finds_what_is_not_there(schema: Schema) -> None:
    mask = "dataPoints(heartRate(beatsPerMinute,sampleTime(physicalTime,zone)),origin),nextPageToken"
    assert walk_mask(schema, mask, schema("ListDataPointsResponse")) == ["zone", "origin"]


@pytest.mark.parametrize("data_type", LISTED, ids=lambda t: t.code)
def test_every_member_of_a_mask_of_fields_exists(schema: Schema, data_type: GoogleType) -> None:
    assert walk_mask(schema, fields(data_type), schema("ListDataPointsResponse")) == []


@pytest.mark.parametrize("data_type", LISTED, ids=lambda t: t.code)
def test_every_number_that_is_read_is_a_number_there(schema: Schema, data_type: GoogleType) -> None:
    members = named(schema, schema("DataPoint")[data_type.payload])
    for member in data_type.members:
        for name in filter(None, (member.name, member.minus)):
            assert (members[name]["type"], members[name]["format"]) in NUMBERS


@pytest.mark.parametrize("data_type", LISTED, ids=lambda t: t.code)
def test_every_filter_names_a_time_of_its_type(schema: Schema, data_type: GoogleType) -> None:
    head, *path = data_type.filter_member.split(".")
    assert camel(head) == data_type.payload
    part = schema("DataPoint")[data_type.payload]
    for name in path:
        part = named(schema, part)[camel(name)]
    assert part.get("format") == "google-datetime" or part.get("$ref") in {"Date", "CivilDateTime"}


@pytest.mark.parametrize("data_type", ROLLED_UP, ids=lambda t: t.code)
def test_every_figure_of_a_rollup_exists(schema: Schema, data_type: GoogleType) -> None:
    assert data_type.rollup
    members = named(schema, schema("RollupDataPoint")[data_type.payload])
    for name in data_type.rollup.names():
        assert (members[name]["type"], members[name]["format"]) in NUMBERS


def test_every_scope_exists(discovery: dict[str, Any]) -> None:
    assert set(data_types.SCOPES) <= set(discovery["auth"]["oauth2"]["scopes"])


@pytest.mark.parametrize(
    ("read", "written"),
    [
        (account._Identity, "Identity"),
        (account._Settings, "Settings"),
        (account._Device, "PairedDevice"),
        (sleep._Point, "DataPoint"),
        (exercise._Point, "DataPoint"),
        (exercise._Exercise, "Exercise"),
        (exercise._Summary, "MetricsSummary"),
        (sleep._Sleep, "Sleep"),
        (sessions.Interval, "SessionTimeInterval"),
        (sleep._Metadata, "SleepMetadata"),
        (sleep._Stage, "SleepStage"),
    ],
)
def test_every_member_that_is_read_exists(schema: Schema, read: type[msgspec.Struct], written: str) -> None:
    names = {field.encode_name for field in msgspec.structs.fields(read)} - {"error"}
    assert names <= set(schema(written))


def test_every_stage_of_sleep_is_known(schema: Schema) -> None:
    stages = set(schema("SleepStage")["type"]["enum"])
    assert set(sleep.STAGES) == {stage for stage in stages if not stage.endswith("_UNSPECIFIED")}


def test_every_request_is_one_of_the_apis(
    discovery: dict[str, Any],
    google: FakeGoogle,
    http: httpx.Client,
    config: GoogleConfig,
    cache: BaseCache,
    calendar: LocalCalendar,
) -> None:
    """Ask everything there is to ask, and hold each path, parameter and body against the description."""
    provider = GoogleHealth(replace(config, data_source_family=GOOGLE_WEARABLES), http, cache=cache)
    google.on("/v4/users/me/identity", CannedResponse({"healthUserId": "71"}))
    google.on("/v4/users/me/settings", CannedResponse({"timeZone": "Europe/Berlin"}))
    google.on("/v4/users/me/pairedDevices", CannedResponse({}))
    for data_type in DATA_TYPES.values():
        path = f"/v4/users/me/dataTypes/{data_type.code}/dataPoints"
        for one in (path, f"{path}:rollUp"):
            google.on(one, CannedResponse({"nextPageToken": "more"}), CannedResponse({}))
        provider.pull("t", data_type.code, START, START + DAY, calendar)
        if data_type.fingerprinted:
            google.on(f"{path}:rollUp", CannedResponse({}))
            provider.fingerprints("t", data_type.code, START, END)
    provider.identity("t")
    provider.settings("t")
    provider.devices("t")
    assert [asked.path for asked in google.asked if not known(discovery, asked)] == []
    assert len({asked.path for asked in google.asked}) == len(LISTED) + len(ROLLED_UP) + 3
