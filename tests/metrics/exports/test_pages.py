"""The exports' pages: asking, watching, calling off, taking away, and who gets in."""

from __future__ import annotations

import io
import zipfile

import pytest
from django.test import Client
from django.utils import timezone

from metrics.exports import deletion, export_request, runner, service
from metrics.models import Export
from participants.models import Membership, Trial, User
from tests import broker, factories
from tests.metrics.exports.scene import exported, manager_of

pytestmark = pytest.mark.django_db(transaction=True)
ALL = "/trials/STRIDE-2/exports/"


@pytest.fixture
def signed_in(client: Client, manager: User) -> Client:
    client.force_login(manager)
    return client


def test_asked_for_on_the_page_it_is_written_by_the_worker_and_taken_away(signed_in: Client, manager: User) -> None:
    answer = signed_in.post(ALL, {"format": "daily", "start_on": "2026-10-24", "participants": "AX-1"})
    export = Export.objects.get()
    here = f"{ALL}{export.uuid}/"
    assert answer["Location"] == here
    assert broker.sent("metrics.export_run") == [(export.pk,)]
    assert "It begins in a moment" in signed_in.get(here).content.decode()
    runner.export_run(export.pk)
    page = signed_in.get(here).content.decode()
    assert "dictionary.csv" in page
    download = signed_in.get(f"{here}download/")
    names = zipfile.ZipFile(io.BytesIO(b"".join(download.streaming_content))).namelist()  # type: ignore[attr-defined]
    assert {name.split("/", 1)[1] for name in names} == set(export.files.values_list("path", flat=True))
    one = signed_in.get(f"{here}files/daily.csv", headers={"Range": "bytes=3-7"})
    assert (one.status_code, b"".join(one.streaming_content)) == (206, b"trial")  # type: ignore[attr-defined]


def test_a_bad_request_is_told_at_its_field(signed_in: Client) -> None:
    answer = signed_in.post(ALL, {"format": "daily", "start_on": "2026-10-24", "end_on": "2026-10-01"})
    assert answer.status_code == 422
    assert "The last date comes before the first." in answer.content.decode()
    assert "Not known: ZZ-9" in signed_in.post(ALL, {"format": "csv", "participants": "ZZ-9"}).content.decode()
    assert not Export.objects.exists()


def test_the_estimate_is_a_sentence(signed_in: Client) -> None:
    page = signed_in.get(f"{ALL}estimate/", {"format": "parquet", "metrics": ["resting_heart_rate"]})
    assert "About 2 rows of 2 participants." in page.content.decode()


def test_the_list_asks_again_while_something_is_written(signed_in: Client, trial: Trial, manager: User) -> None:
    assert "None yet" in signed_in.get(ALL).content.decode()
    export = service.create(manager, export_request.check(manager, trial))
    page = signed_in.get(ALL, headers={"HX-Request": "true"}).content.decode()
    assert "every 2s" in page
    assert "<html" not in page
    assert signed_in.post(f"{ALL}{export.uuid}/cancel/").status_code == 303
    export.refresh_from_db()
    assert export.state == Export.State.CANCELLED
    assert "every 2s" not in signed_in.get(ALL).content.decode()


def test_nobody_else_sees_it(client: Client, trial: Trial, manager: User) -> None:
    export = exported(manager, trial)
    here = f"{ALL}{export.uuid}/"
    pages = (here, f"{here}download/", f"{here}files/manifest.json")
    for other in (manager_of(trial), manager_of(factories.TrialFactory.create())):
        client.force_login(other)
        assert [client.get(page).status_code for page in pages] == [404, 404, 404]
        assert client.post(f"{here}cancel/").status_code == 404
    client.logout()
    assert {client.get(page).status_code for page in pages} == {302}
    Membership.objects.filter(user=manager).update(ended_at=timezone.now())
    client.force_login(manager)
    assert [client.get(page).status_code for page in pages] == [404, 404, 404]


def test_a_path_that_leads_out_of_the_folder_finds_nothing(signed_in: Client, trial: Trial, manager: User) -> None:
    export = exported(manager, trial)
    for path in ("../../secret_key", "%2e%2e/%2e%2e/secret_key", "nothing.csv"):
        assert signed_in.get(f"{ALL}{export.uuid}/files/{path}").status_code == 404


def test_an_expired_one_says_so_and_is_gone(signed_in: Client, trial: Trial, manager: User) -> None:
    export = exported(manager, trial)
    assert export.expires_at
    deletion.expire(export.expires_at)
    here = f"{ALL}{export.uuid}/"
    assert "Its files are deleted" in signed_in.get(here).content.decode()
    assert signed_in.get(f"{here}download/").status_code == 404


def test_a_viewer_may_export_what_they_see(client: Client, trial: Trial) -> None:
    client.force_login(manager_of(trial, role=Membership.Role.VIEWER))
    assert client.post(ALL, {"format": "parquet"}).status_code == 303
