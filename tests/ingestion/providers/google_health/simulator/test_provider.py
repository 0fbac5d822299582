"""The product's own client against the simulator, over real HTTP: what it brings is the truth, row for row."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from django.core.cache.backends.locmem import LocMemCache

from ingestion.providers.base.errors import BrokenResponse, VendorBusy
from ingestion.providers.google_health.client import GoogleHealth
from ingestion.providers.google_health.config import GoogleConfig
from ingestion.providers.google_health.data_types import DATA_TYPES
from metrics.local_time import LocalCalendar
from tests.ingestion.providers.google_health.simulator.conftest import NOON, Google

START, END = dt.datetime(2026, 11, 20, tzinfo=dt.UTC), dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
Rows = dict[tuple[str, str, int, int | None], float]


@pytest.fixture
def client(address: str) -> Iterator[GoogleHealth]:
    config = GoogleConfig(
        client_id="sim-client",
        client_secret="sim-secret",
        auth_url=f"{address}/o/oauth2/v2/auth",
        token_url=f"{address}/token",
        revoke_url=f"{address}/revoke",
        api_url=address,
        keyset_url=f"{address}/webhooks_public_keyset.json",
        timeout=5,
    )
    with httpx.Client(trust_env=False) as http:
        yield GoogleHealth(
            config, http, cache=LocMemCache("simulator", {}), clock=lambda: NOON, pause=lambda seconds: None
        )


def calendar(google: Google, user: int) -> LocalCalendar:
    return LocalCalendar(zoneinfo.ZoneInfo(google.simulator.accounts.account(user).profile.zone.key), [])


def pulled(client: GoogleHealth, google: Google, user: int, data_type: str, windows: int = 1) -> Rows:
    """The day in so many windows, each asked for again until it comes, as the sync engine does."""
    token = google.tokens(user)["access_token"]
    rows: Rows = {}
    width = (END - START) / windows
    for number in range(windows):
        start = START + number * width
        for _ in range(20):
            try:
                found = client.pull(token, data_type, start, start + width, calendar(google, user))
                break
            except (BrokenResponse, VendorBusy):
                continue
        else:
            pytest.fail("the window never came")
        for batch in found.payload.samples:
            lengths: list[Any] = [None] * len(batch) if batch.seconds is None else batch.seconds.tolist()
            for time, value, seconds in zip(batch.time.tolist(), batch.value.tolist(), lengths, strict=True):
                rows[batch.metric, batch.source.device_model, time, seconds] = value
    return rows


def expected(google: Google, user: int, data_type: str) -> Rows:
    rows: Rows = {}
    said = google.control("truth", user=str(user), type=data_type, start=START.isoformat(), end=END.isoformat())
    for one in said["rows"]:
        device = one["source"].get("device", {}).get("displayName", "")
        for time, value in zip(one["time"], one["value"], strict=True):
            rows[one["metric"], device, time, one["seconds"]] = value
    return rows


def same(got: Rows, wanted: Rows) -> bool:
    assert {key[:1] + key[2:] for key in got} == {key[:1] + key[2:] for key in wanted}
    values = [sorted((metric, time, value) for (metric, _, time, _), value in rows.items()) for rows in (got, wanted)]
    return all(a[:2] == b[:2] and np.isclose(a[2], b[2], rtol=0, atol=1e-9) for a, b in zip(*values, strict=True))


SAMPLED = [name for name, one in DATA_TYPES.items() if one.metrics and not one.by_day]


@pytest.mark.parametrize("data_type", SAMPLED)
def test_a_day_pulled_is_the_ground_truth(google: Google, client: GoogleHealth, data_type: str) -> None:
    for user in (4, 5, 13):
        assert same(pulled(client, google, user, data_type), expected(google, user, data_type))


@pytest.mark.parametrize("data_type", ["heart-rate", "steps", "total-calories"])
def test_a_day_pulled_through_a_storm_is_the_ground_truth(google: Google, client: GoogleHealth, data_type: str) -> None:
    google.faulty(page_cap=700, drops_ties=True, empty_page=0.1, truncated=0.05, error_in_200=0.05, busy=0.05,
                  internal=0.05)  # fmt: skip
    for user in (4, 13):
        assert same(pulled(client, google, user, data_type, windows=24), expected(google, user, data_type))


@pytest.mark.parametrize("data_type", [name for name in DATA_TYPES if name.startswith("daily-")])
def test_days_pulled_are_the_ground_truth(google: Google, client: GoogleHealth, data_type: str) -> None:
    week = {"start": "2026-11-15T05:00:00Z", "end": "2026-11-22T05:00:00Z"}  # local midnights in New York
    token = google.tokens(4)["access_token"]
    edges = [dt.datetime.fromisoformat(edge) for edge in week.values()]
    found = client.pull(token, data_type, edges[0], edges[1], calendar(google, 4)).payload.samples
    got = [(one.metric, one.time.tolist(), one.value.tolist()) for one in found]
    said = google.control("truth", None, user="4", type=data_type, **week)["rows"]
    assert got == [(one["metric"], one["time"], pytest.approx(one["value"])) for one in said]
    assert got


def test_nights_pulled_have_the_stages_of_the_ground_truth(google: Google, client: GoogleHealth) -> None:
    token = google.tokens(4)["access_token"]
    (night,) = client.pull(token, "sleep", START, END, calendar(google, 4)).payload.sleep
    (wanted,) = google.control("nights", user="4", start=START.isoformat(), end=END.isoformat())["nights"]
    assert night.external_id == wanted["id"]
    assert [(int(s.starts_at.timestamp()) * 1_000_000, s.seconds, s.stage) for s in night.stages] == [
        tuple(stage) for stage in wanted["stages"]
    ]


def test_exercise_pulled_is_what_starts_in_the_window(google: Google, client: GoogleHealth) -> None:
    token = google.tokens(4)["access_token"]
    week = client.pull(token, "exercise", START - 6 * (END - START), END, calendar(google, 4)).payload.exercise
    assert len(week) > 1
    for one in week:
        begun = one.starts_at
        found = client.pull(token, "exercise", begun, begun + dt.timedelta(seconds=1), calendar(google, 4))
        assert found.payload.exercise == [one]
        assert client.pull(token, "exercise", begun - dt.timedelta(hours=1), begun, calendar(google, 4)).points == 0


def test_exercise_pulled_says_what_it_was(google: Google, client: GoogleHealth) -> None:
    token = google.tokens(4)["access_token"]
    found = client.pull(token, "exercise", START - 6 * (END - START), END, calendar(google, 4)).payload.exercise
    points = google.points("exercise")["dataPoints"]
    told = {point["name"].rpartition("/")[2]: point["exercise"] for point in points}
    for one in found:
        assert (one.activity, one.name) == ("walking", "Walk")
        assert one.starts_at == dt.datetime.fromisoformat(told[one.external_id]["interval"]["startTime"])
        assert one.steps == int(told[one.external_id]["metricsSummary"]["steps"])
        assert one.active_seconds == (one.ends_at - one.starts_at).total_seconds()


def test_fingerprints_show_a_restated_hour(google: Google, client: GoogleHealth) -> None:
    token = google.tokens(4)["access_token"]
    before = client.fingerprints(token, "heart-rate", START, END)
    hour = {"start": "2026-11-20T17:00:00Z", "end": "2026-11-20T18:00:00Z"}
    google.control("restate", {"user": "4", "type": "heart-rate", **hour})
    after = client.fingerprints(token, "heart-rate", START, END)
    assert [start.hour for start in after if after[start] != before[start]] == [17]


def test_the_account_is_read(google: Google, client: GoogleHealth) -> None:
    token = google.tokens(4)["access_token"]
    assert client.identity(token).user_id == "7100000000000000004"
    assert client.settings(token).time_zone == "America/New_York"
    assert client.devices(token)
