"""Every sample over the API: pages by a cursor, and streams that are read in pieces."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from django.test import Client

from metrics.api import cursors
from metrics.models import Measurement
from metrics.reading import raw
from metrics.storage import binary_copy
from metrics.writing.writer import store
from participants.models import AuditEntry, Participant, Trial
from tests.api.test_series import SERIES, ask
from tests.factories import ParticipantFactory
from tests.metrics.samples import NOON, NOW, PHONE, batch, deliver

pytestmark = pytest.mark.django_db
RAW: dict[str, Any] = {"resolution": "raw", "metrics": "heart_rate,steps"}


@pytest.fixture
def people(trial: Trial) -> list[Participant]:
    found: list[Participant] = [ParticipantFactory(trial=trial, study_id=f"AX-00{i}") for i in range(3)]
    for i, person in enumerate(found):
        steps = batch([float(i)] * 10, metric="steps", step=60, seconds=60)
        store(person, deliver(batch([60.0 + i] * 100, step=1 + 3 * i), steps), now=NOW)
    return found


def samples(page: dict[str, Any]) -> list[tuple[str, str, str, float]]:
    """(time, participant, metric, value) of a page, in order of time."""
    return sorted(
        (time, series["participant"], series["metric"], value)
        for series in page["series"]
        for time, value in zip(series["time"], series["value"], strict=True)
    )


def pages(client: Client, **asked: Any) -> Iterator[dict[str, Any]]:
    page = ask(client, **RAW, **asked)
    while True:
        yield page
        if page["next"] is None:
            return
        page = ask(client, **RAW, **asked, cursor=page["next"])


def rows(client: Client, **asked: Any) -> list[str]:
    query = {"trial": "STRIDE-2", "start": "2026-05-04", "end": "2026-05-04"} | RAW | asked
    answer = client.get(SERIES, query)
    assert answer.status_code == 200
    text: str = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    return text.splitlines()


def test_a_page_is_columns_by_series(reader: Client, people: list[Participant]) -> None:
    page = ask(reader, resolution="raw", metrics="steps", participants="AX-002", limit=2)
    (series,) = page["series"]
    assert (page["rows"], page["resolution"]) == (2, "raw")
    assert (series["unit"], series["width_seconds"], series["source"]["device_model"]) == ("{steps}", 0, "Charge 6")
    assert series["time"] == ["2026-05-04T12:00:00Z", "2026-05-04T12:01:00Z"]
    assert (series["value"], series["seconds"]) == ([2.0, 2.0], [60, 60])


@pytest.mark.parametrize("limit", [7, 100, 1000])
def test_pages_hold_everything_once_and_in_order(reader: Client, people: list[Participant], limit: int) -> None:
    found: list[tuple[str, str, str, float]] = []
    for page in pages(reader, limit=limit):
        assert page["rows"] == len(samples(page)) <= limit
        assert not found or samples(page)[0][0] >= found[-1][0]
        found += samples(page)
    assert len(found) == len(set(found)) == Measurement.objects.count() == 330


def test_pages_stay_whole_while_late_data_come_in(reader: Client, people: list[Participant]) -> None:
    found: list[tuple[str, str, str, float]] = []
    for i, page in enumerate(pages(reader, limit=50)):
        found += samples(page)
        if i == 1:
            before = batch([80.0] * 5, start=NOON - dt.timedelta(hours=1))
            after = batch([80.0] * 5, start=NOON + dt.timedelta(hours=1))
            store(people[2], deliver(before, after), now=NOW)
            store(ParticipantFactory(trial=people[0].trial, study_id="AX-009"), deliver(after), now=NOW)
    assert len(found) == len(set(found)) == 330 + 5 + 5


def test_late_data_do_not_switch_the_device_between_pages(reader: Client, people: list[Participant]) -> None:
    found: list[tuple[str, str, str, float]] = []
    for page in pages(reader, limit=50):
        found += samples(page)
        if page["next"] and not Measurement.objects.filter(value=99).exists():
            store(people[0], deliver(batch([99.0] * 500, step=1, source=PHONE)), now=NOW)
    assert len(found) == 330
    assert not any(value == 99 for *_, value in found)


def test_a_cursor_belongs_to_its_request(reader: Client, people: list[Participant]) -> None:
    cursor = ask(reader, **RAW, limit=5)["next"]
    assert set(ask(reader, 400, **RAW, end="2026-05-05", cursor=cursor)["errors"]) == {"cursor"}
    assert ask(reader, **RAW, limit=9, cursor=cursor)["rows"] == 9


def test_a_cursor_opens_nothing_that_is_not_visible(reader: Client, people: list[Participant]) -> None:
    cursor = ask(reader, **RAW, limit=5)["next"]
    Participant.objects.filter(pk=people[0].pk).update(status=Participant.Status.ERASED)
    assert {who for _, who, *_ in samples(ask(reader, **RAW, cursor=cursor))} == {"AX-001", "AX-002"}


def test_a_cursor_of_many_series_is_short() -> None:
    keys = [raw.Key(1000 + 3 * i, metric, 7) for i in range(500) for metric in range(1, 11)]
    cursor = cursors.encode(b"12345678", raw.Place(5, keys[9]), keys)
    assert len(cursor) < 1500
    place, chosen = cursors.decode(b"12345678", cursor)
    assert place == (5, keys[9])
    assert {raw.Key(*key, source) for key, source in chosen.items()} == set(keys)


def test_ndjson_has_a_line_for_each_sample(reader: Client, people: list[Participant]) -> None:
    lines = [orjson.loads(line) for line in rows(reader, format="ndjson")]
    assert len(lines) == 330
    source = Measurement.objects.first().source_id  # type: ignore[union-attr]
    assert lines[0] == {
        "participant": "AX-000",
        "metric": "heart_rate",
        "source": source,
        "time": "2026-05-04T12:00:00Z",
        "value": 60.0,
        "seconds": None,
        "plausible": True,
    }
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)


def test_csv_has_a_head_and_empty_cells_for_what_is_not(reader: Client, people: list[Participant]) -> None:
    lines = rows(reader, format="csv", participants="AX-000")
    source = Measurement.objects.first().source_id  # type: ignore[union-attr]
    assert lines[:3] == [
        "participant,metric,source,time,value,seconds,plausible",
        f"AX-000,heart_rate,{source},2026-05-04T12:00:00Z,60.0,,true",
        f"AX-000,steps,{source},2026-05-04T12:00:00Z,0.0,60,true",
    ]
    assert len(lines) == 111


@pytest.fixture
def impossible(trial: Trial) -> Participant:
    """AX-001: heart rates of which some cannot be, -1 steps, and steps too many for a minute, but not for an hour."""
    person: Participant = ParticipantFactory(trial=trial, study_id="AX-001")
    walked = [batch([-1.0, 4000.0, 7.0], metric="steps", step=60, seconds=60)]
    walked.append(batch([4000.0], start=NOON + dt.timedelta(hours=1), metric="steps", seconds=3600))
    store(person, deliver(batch([0.0, 60.0, 255.0]), *walked), now=NOW)
    return person


MARKED = {
    "heart_rate": [(0.0, False), (60.0, True), (255.0, False)],
    "steps": [(-1.0, False), (4000.0, False), (7.0, True), (4000.0, True)],
}


@pytest.mark.parametrize("limit", [1, 2, 1000])
def test_every_sample_is_there_with_its_mark_in_columns(reader: Client, impossible: Participant, limit: int) -> None:
    found: dict[str, list[tuple[float, bool]]] = {"heart_rate": [], "steps": []}
    for page in pages(reader, limit=limit):
        for series in page["series"]:
            found[series["metric"]] += zip(series["value"], series["plausible"], strict=True)
    assert found == MARKED


def test_every_sample_is_there_with_its_mark_in_rows(reader: Client, impossible: Participant) -> None:
    lines = [orjson.loads(line) for line in rows(reader, format="ndjson")]
    for code, expected in MARKED.items():
        assert [(one["value"], one["plausible"]) for one in lines if one["metric"] == code] == expected
    cells = [line.split(",") for line in rows(reader, format="csv")[1:]]
    for code, expected in MARKED.items():
        assert [(float(one[4]), one[6] == "true") for one in cells if one[1] == code] == expected


@pytest.mark.parametrize("resolution", ["auto", "1m", "1h", "1d"])
def test_no_bucket_counts_what_cannot_be(reader: Client, impossible: Participant, resolution: str) -> None:
    page = ask(reader, resolution=resolution, metrics="heart_rate,steps", missing="omit")
    heart, steps = page["series"]
    assert (heart["mean"], heart["min"], heart["max"], heart["count"]) == ([60], [60], [60], [1])
    assert (sum(steps["sum"]), sum(steps["count"]), min(steps["min"])) == (4007, 2, 7)


def test_who_has_nothing_else_has_raw_samples_and_no_buckets(reader: Client, trial: Trial) -> None:
    person = ParticipantFactory(trial=trial, study_id="AX-001")
    store(person, deliver(batch([0.0] * 5)), now=NOW)
    (series,) = ask(reader, resolution="raw", metrics="heart_rate")["series"]
    assert (series["value"], series["plausible"]) == ([0.0] * 5, [False] * 5)
    (series,) = ask(reader, resolution="1d", metrics="heart_rate", missing="omit")["series"]
    assert series["mean"] == []
    sources = [one["id"] for one in reader.get("/api/v1/sources").json()["results"]]
    assert sources == list(Measurement.objects.values_list("source_id", flat=True).distinct())


@pytest.mark.parametrize("media_type", ["application/x-ndjson", "text/csv"])
def test_what_is_accepted_chooses_the_form(reader: Client, people: list[Participant], media_type: str) -> None:
    query = {"trial": "STRIDE-2", "start": "2026-05-04", "end": "2026-05-04"} | RAW
    answer = reader.get(SERIES, query, headers={"Accept": media_type})
    assert answer.streaming
    assert answer.headers["Content-Type"].startswith(media_type)


def test_local_times_of_several_zones_stand_in_one_stream(reader: Client, people: list[Participant]) -> None:
    Participant.objects.filter(pk=people[1].pk).update(time_zone="Asia/Kolkata")
    span = {"start": "2026-05-04T12:00:00Z", "end": "2026-05-04T12:00:01Z"}
    lines = [orjson.loads(line) for line in rows(reader, format="ndjson", time="local", metrics="heart_rate", **span)]
    assert {line["participant"]: line["time"] for line in lines} == {
        "AX-000": "2026-05-04T14:00:00+02:00",
        "AX-001": "2026-05-04T17:30:00+05:30",
        "AX-002": "2026-05-04T14:00:00+02:00",
    }


def test_a_stream_asks_for_a_piece_at_a_time(
    reader: Client, people: list[Participant], monkeypatch: pytest.MonkeyPatch
) -> None:
    read, asked = binary_copy.read, []

    def counted(statement: str, parameters: dict[str, Any]) -> Any:
        found = list(read(statement, parameters))
        asked.append(sum(len(arrays[0]) for _, arrays in found))
        return found

    monkeypatch.setattr(binary_copy, "read", counted)
    monkeypatch.setattr(raw, "FEWEST", 4)
    monkeypatch.setattr(raw.pieces, "__kwdefaults__", {"after": None, "size": 60})
    assert len(rows(reader, format="ndjson")) == 330
    assert max(asked) <= 60
    assert len(asked) >= 6


def test_following_pages_belong_to_the_first_look(reader: Client, people: list[Participant]) -> None:
    assert len(list(pages(reader, limit=100))) == 4
    assert AuditEntry.objects.filter(action="series.view").count() == 3
