"""Exports over the API: asked for, watched, called off, downloaded in pieces."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from metrics.exports import runner
from metrics.models import Export
from metrics.storage.timescale import after_migrate
from participants.models import AuditEntry, Membership, Participant, Trial
from tests.api.conftest import Bring
from tests.api.scene import MORNING
from tests.api.test_participant_resources import post
from tests.dashboards.measured import heart_rate, store
from tests.factories import MembershipFactory, ParticipantFactory, SiteFactory

pytestmark = pytest.mark.django_db(transaction=True)
EXPORTS = "/api/v1/trials/STRIDE-2/exports"


@pytest.fixture(autouse=True)
def _folder(transactional_db: None, settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.EXPORT_FOLDER = tmp_path
    after_migrate()  # committed tests empty the metric table
    yield
    after_migrate()


@pytest.fixture
def participant(trial: Trial) -> Participant:
    made: Participant = ParticipantFactory.create(trial=trial, study_id="P-1")
    store(made, heart_rate(MORNING, 60, step=60))
    return made


def asked(client: Client, **body: Any) -> dict[str, Any]:
    answer = post(client, EXPORTS, {"format": "csv", **body})
    assert answer.status_code == 201, answer.content
    told: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == f"{EXPORTS}/{told['id']}"
    return told


def test_an_export_is_asked_for_watched_and_downloaded(writer: Client, participant: Participant) -> None:
    told = asked(writer, metrics=["heart_rate"])
    address = f"{EXPORTS}/{told['id']}"
    assert (told["state"], told["progress"], told["files"]) == ("waiting", 0.0, [])
    assert writer.get(f"{address}/archive").status_code == 404
    runner.export_run(Export.objects.get().pk)
    done = writer.get(address).json()
    assert (done["state"], done["progress"]) == ("done", 1.0)
    named = next(one for one in done["files"] if one["rows"])
    file = f"{address}/files/{named['path']}"
    whole = writer.get(file)
    content = b"".join(whole)
    assert (whole.status_code, len(content)) == (200, named["size"])
    rest = writer.get(file, headers={"Range": "bytes=10-", "If-Range": whole.headers["ETag"]})
    assert (rest.status_code, b"".join(rest)) == (206, content[10:])
    assert AuditEntry.objects.filter(action="export.download", via="api").count() == 2  # the rest has its own
    archive = writer.get(f"{address}/archive")
    assert archive.headers["Content-Type"] == "application/zip"
    assert b"".join(archive).startswith(b"PK")


def test_asking_again_with_the_same_key_makes_one(writer: Client, participant: Participant) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first, again = (post(writer, EXPORTS, {"format": "csv"}, **key) for _ in range(2))
    assert first.json()["id"] == again.json()["id"]
    assert Export.objects.count() == 1


def test_what_is_wrong_is_named(writer: Client, participant: Participant) -> None:
    body = {"format": "xls", "metrics": ["mood"], "colour": "red"}
    assert set(post(writer, EXPORTS, body).json()["errors"]) == {"format", "metrics"}
    body = {"participants": ["P-9"], "start_on": "2026-11-02", "end_on": "2026-11-01"}
    assert set(post(writer, EXPORTS, body).json()["errors"]) == {"participants", "end_on"}


def test_calling_off_once(writer: Client, participant: Participant) -> None:
    address = f"{EXPORTS}/{asked(writer)['id']}/cancel"
    assert writer.post(address).json()["state"] == "cancelled"
    assert writer.post(address).status_code == 409


def test_an_export_is_its_owners_alone(writer: Client, trial: Trial, participant: Participant, bring: Bring) -> None:
    address = f"{EXPORTS}/{asked(writer)['id']}"
    colleague = bring(MembershipFactory.create(trial=trial).user, can_write=True)
    assert colleague.get(EXPORTS).json()["results"] == []
    assert colleague.get(address).status_code == 404
    assert colleague.post(f"{address}/cancel").status_code == 404
    stranger = bring(MembershipFactory.create().user, can_write=True)
    assert stranger.get(EXPORTS).status_code == 404


def test_an_analyst_exports_their_site_only(trial: Trial, participant: Participant, bring: Bring) -> None:
    site = SiteFactory.create(trial=trial)
    ParticipantFactory.create(trial=trial, site=site, study_id="P-2")
    client = bring(MembershipFactory.create(trial=trial, site=site, role=Membership.Role.ANALYST).user, can_write=True)
    asked(client)
    assert list(Export.objects.get().people.values_list("study_id", flat=True)) == ["P-2"]


def test_a_read_only_token_asks_for_none(reader: Client, participant: Participant) -> None:
    assert post(reader, EXPORTS, {"format": "csv"}).status_code == 403
    assert reader.get(EXPORTS).json()["results"] == []
