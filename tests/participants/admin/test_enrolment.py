"""Enrolling by a file: what is read, what is said of each cell, and that all are enrolled or nobody."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from config.celery import app
from metrics.models import ParticipantStatusSummary
from metrics.monitoring import evaluation
from participants import enrolment, tasks
from participants.enrolment import pending_upload
from participants.models import AuditEntry, Contact, EnrolmentPreview, Erasure, Participant, Trial
from participants.privacy import contacts
from participants.privacy import erasure as privacy_erasure
from tests import factories

PAGE = "/admin/participants/participant/enrol/"
HEAD = "study_id,site,time_zone,monitoring_starts_on,monitoring_ends_on,arm\n"


def upload(client: Client, trial: Trial, content: str | bytes) -> str:
    raw = content.encode() if isinstance(content, str) else content
    return client.post(PAGE, {"trial": trial.pk, "file": SimpleUploadedFile("x.csv", raw)}).content.decode()


def enrolled() -> set[str]:
    return set(Participant.objects.values_list("study_id", flat=True))


def problems(trial: Trial, text: str) -> dict[str, str]:
    """What is wrong with the first row, by column."""
    preview = enrolment.check(trial, enrolment.read(text), may_contact=True)
    return preview.rows[-1].problems


def test_a_dry_run_writes_nothing_and_the_confirmation_everything(enroller: Client, trial: Trial) -> None:
    page = upload(enroller, trial, HEAD + "A-1,N,,2026-12-01,31.1.2027,walking\nA-2,north,Asia/Tokyo,,,\n")
    assert "Nothing is written yet" in page
    assert enrolled() == set()
    enroller.post(PAGE, {"confirm": "yes"})
    person = Participant.objects.get(study_id="A-1")
    assert (person.site.code if person.site else "", person.arm, str(person.monitoring_ends_on)) == (
        "N",
        "walking",
        "2027-01-31",
    )
    assert (person.status, person.time_zone) == ("invited", "Europe/Amsterdam")
    assert Participant.objects.get(study_id="A-2").time_zone == "Asia/Tokyo"
    assert AuditEntry.objects.filter(action="participant.enrol").count() == 2
    assert AuditEntry.objects.filter(action="participant.enrol_file").count() == 1


def test_the_same_file_again_enrols_nobody(enroller: Client, trial: Trial) -> None:
    for _ in range(2):
        page = upload(enroller, trial, HEAD + "A-1,N,,2026-12-01,,walking\n")
        enroller.post(PAGE, {"confirm": "yes"})
    assert "there is nothing to do" in page
    assert enrolled() == {"A-1"}


def test_a_file_with_one_new_row_enrols_that_one(enroller: Client, trial: Trial) -> None:
    factories.ParticipantFactory.create(trial=trial, study_id="A-1")
    upload(enroller, trial, "study_id\nA-1\nA-2\n")
    enroller.post(PAGE, {"confirm": "yes"})
    assert enrolled() == {"A-1", "A-2"}


def test_one_wrong_cell_and_nobody_is_enrolled(enroller: Client, trial: Trial) -> None:
    page = upload(enroller, trial, HEAD + "A-1,,,,,\nA-2,East,,,,\n")
    assert "There is no such site in STRIDE-2. Known: N." in page
    enroller.post(PAGE, {"confirm": "yes"})
    assert enrolled() == set()


@pytest.mark.parametrize(
    ("row", "column", "says"),
    [
        ("has spaces,,,,,", "study_id", "Use letters, digits"),
        (",N,,,,", "study_id", "cannot be blank"),
        ("=1+1,,,,,", "study_id", "Use letters, digits"),
        ("A-1,East,,,,", "site", "no such site"),
        ("A-1,,Amsterdam,,,", "time_zone", "not an IANA time zone"),
        ("A-1,,,12/31/2026,,", "monitoring_starts_on", "Write 2026-12-31 or 31.12.2026"),
        ("A-1,,,2026-02-30,,", "monitoring_starts_on", "Write 2026-12-31"),
        ("A-1,,,3026-12-01,,", "monitoring_starts_on", "Is the year right?"),
        ("A-1,,,2026-12-02,2026-12-01,", "monitoring_ends_on", "ends before it starts"),
        ("A-1,,,,,=HYPERLINK(1)", "arm", "formula"),
        ("A-1,,,,," + "x" * 41, "arm", "at most 40"),
        ("A-1,,,,,x,y", "", "more cells than there are columns"),
    ],
)
def test_a_wrong_cell_is_told_in_a_sentence(trial: Trial, row: str, column: str, says: str) -> None:
    assert says in problems(trial, HEAD + row + "\n")[column]


@pytest.mark.parametrize(
    ("cells", "column", "says"),
    [
        ("Jo,nobody,,", "contact_email", "Not an e-mail"),
        ("Jo,,call me,", "contact_phone", "Not a telephone"),
        ("=cmd|x,,,", "contact_name", "formula"),
        ("Jo,,,fr", "contact_language", "Choose one of"),
    ],
)
def test_wrong_contact_data_are_told_in_sentences(trial: Trial, cells: str, column: str, says: str) -> None:
    assert says in problems(trial, f"study_id,name,e-mail,phone,language\nA-1,{cells}\n")[column]


def test_a_participant_twice_in_the_file_is_told(trial: Trial) -> None:
    assert "line 2 too" in problems(trial, "study_id\nA-1\na-1\n")["study_id"]


def test_who_is_enrolled_otherwise_is_told(trial: Trial) -> None:
    factories.ParticipantFactory.create(trial=trial, study_id="A-1", arm="control")
    assert "enrolled with control" in problems(trial, HEAD + "A-1,,,,,walking\n")["arm"]
    assert "upper and lower case" in problems(trial, "study_id\na-1\n")["study_id"]


@pytest.mark.parametrize(
    "content",
    [
        "study_id;arm\nA-1;gehen\u00e9\n".encode("cp1252"),
        "study_id\tarm\nA-1\tgehen\u00e9\n".encode("utf-16"),
        "\ufeffStudy ID,ARM\r\n\r\nA-1,gehen\u00e9\r\n".encode(),
        'sep=;\n"study-id";"arm"\n"A-1";"gehen\u00e9"\n'.encode(),
    ],
    ids=["windows", "utf-16", "excel", "sep"],
)
def test_a_file_of_any_spreadsheet_is_read(trial: Trial, content: bytes) -> None:
    sheet = enrolment.read(enrolment.decoded(content))
    preview = enrolment.check(trial, sheet, may_contact=False)
    assert preview.clean
    assert preview.rows[0].values["arm"] == "gehen\u00e9"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no rows"),
        (b"study_id\n", "no rows"),
        (b"name;arm\nA;b\n", "no column study_id"),
        (b"study_id,colour\nA,b\n", "Unknown: &#x27;colour&#x27;"),
        (b"study_id,study_id\nA,b\n", "Named twice"),
        (b"PK\x03\x04rest", "workbook"),
        (b"study_id\nA\x00\n", "not a text file"),
        (b'study_id\n"A\n', "cannot be read"),
        (b"study_id\n" + b"A\n" * 501, "more than 500 rows"),
        (b"x" * 1_000_001, "larger than 1 MB"),
    ],
)
def test_a_file_that_is_none_is_told(enroller: Client, trial: Trial, content: bytes, says: str) -> None:
    page = upload(enroller, trial, content or b"\n")
    assert says in page


def test_contact_data_are_encrypted_until_the_confirmation_stores_them(enroller: Client, trial: Trial) -> None:
    page = upload(enroller, trial, "study_id,name,email\nA-1,Jo Example,jo@example.org\n")
    assert "jo@example.org" not in page
    waiting = [session.get_decoded().get("enrolment") for session in Session.objects.all()]
    assert waiting == [EnrolmentPreview.objects.get().pk], "a session holds no more than the file's number"
    assert "jo@example.org" not in EnrolmentPreview.objects.get().text
    enroller.post(PAGE, {"confirm": "yes"})
    person = Participant.objects.get(study_id="A-1")
    assert contacts.contact_open(person).email == "jo@example.org"
    assert not EnrolmentPreview.objects.exists()


def test_a_file_that_waits_goes_with_an_erasure_in_its_trial_and_enrols_nobody_after_it(
    enroller: Client, trial: Trial, settings: Any, tmp_path: Any
) -> None:
    settings.ERASURE_JOURNAL = str(tmp_path / "erasures.jsonl")
    person = factories.ParticipantFactory.create(trial=trial, study_id="A-1")
    upload(enroller, trial, "study_id,name,email\nA-1,Jo Example,jo@example.org\nA-2,,\n")
    other = factories.TrialFactory.create()
    elsewhere = pending_upload.keep(other, factories.UserFactory.create(), "study_id\nB-1\n", contacts=False)
    erasure = Erasure.objects.create(participant=person, state="approved", reason="letter")
    privacy_erasure.erase(erasure.pk)
    assert list(EnrolmentPreview.objects.all()) == [elsewhere]
    page = enroller.post(PAGE, {"confirm": "yes"}, follow=True).content.decode()
    assert "no file that waits" in page
    assert enrolled() == {f"erased-{person.pk}"}
    erasure.refresh_from_db()
    assert erasure.report["participants.EnrolmentDraft"] == 1


def test_another_users_file_is_not_confirmed(enroller: Client, trial: Trial) -> None:
    upload(enroller, trial, "study_id\nA-1\n")
    EnrolmentPreview.objects.update(user=factories.UserFactory.create())
    enroller.post(PAGE, {"confirm": "yes"})
    assert enrolled() == set()


def test_a_new_upload_a_cancel_and_the_end_of_the_session_drop_the_file(
    enroller: Client, trial: Trial, settings: Any
) -> None:
    settings.SESSION_HOURS = 12
    upload(enroller, trial, "study_id\nA-1\n")
    upload(enroller, trial, "study_id\nA-2\n")
    assert "A-2" in EnrolmentPreview.objects.get().text
    enroller.post(PAGE, {"cancel": "yes"})
    assert not EnrolmentPreview.objects.exists()
    upload(enroller, trial, "study_id\nA-3\n")
    now = timezone.now()
    with time_machine.travel(now + dt.timedelta(hours=12, minutes=-1), tick=False):
        tasks.clear_sessions()
    assert EnrolmentPreview.objects.exists()
    assert Session.objects.exists()
    with time_machine.travel(now + dt.timedelta(hours=12, minutes=1), tick=False):
        tasks.clear_sessions()
    assert not EnrolmentPreview.objects.exists()
    assert not Session.objects.exists()


def test_expired_sessions_are_cleared_by_the_schedule() -> None:
    assert app.conf.beat_schedule["clear-sessions"]["task"] == tasks.clear_sessions.name


def test_who_may_not_store_contact_data_may_not_by_a_file(trial: Trial) -> None:
    sheet = enrolment.read("study_id,email\nA-1,jo@example.org\n")
    preview = enrolment.check(trial, sheet, may_contact=False)
    assert not preview.clean
    with pytest.raises(enrolment.NotClean):
        enrolment.enrol_all(trial, sheet, may_contact=False)
    assert not Contact.objects.exists()


def test_a_change_between_preview_and_confirmation_is_told(enroller: Client, trial: Trial) -> None:
    upload(enroller, trial, HEAD + "A-1,,,,,walking\nA-2,,,,,walking\n")
    factories.ParticipantFactory.create(trial=trial, study_id="A-1", arm="control")
    page = enroller.post(PAGE, {"confirm": "yes"}).content.decode()
    assert "Something changed meanwhile" in page
    assert enrolled() == {"A-1"}


def test_nobody_is_enrolled_in_a_closed_trial_by_a_file(trial: Trial) -> None:
    trial.status = Trial.Status.CLOSED
    assert enrolment.check(trial, enrolment.read("study_id\nA-1\n"), may_contact=False).problems


def test_the_template_is_taken_as_it_is(enroller: Client, trial: Trial) -> None:
    content = enroller.get(reverse("admin:participants_participant_template")).content
    preview = enrolment.check(trial, enrolment.read(enrolment.decoded(content)), may_contact=True)
    assert preview.clean
    assert preview.rows[0].contact is not None


def test_a_preview_asks_as_much_for_many_rows_as_for_one(trial: Trial, django_assert_num_queries: object) -> None:
    sheet = enrolment.read("study_id,site\n" + "".join(f"A-{n},N\n" for n in range(500)))
    with django_assert_num_queries(2):  # type: ignore[operator]
        assert enrolment.check(trial, sheet, may_contact=False).clean


def test_others_do_not_enrol_by_a_file(client: Client, trial: Trial) -> None:
    client.force_login(factories.MembershipFactory.create(trial=trial).user)
    assert client.get(PAGE).status_code == 302
    client.force_login(factories.UserFactory.create(is_staff=True))
    assert client.get(PAGE).status_code == 403


def test_many_are_evaluated_together_and_are_on_the_trials_page(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = enrolment.read("study_id,monitoring_starts_on\nA-1,2026-11-01\nA-2,\n")
    told: list[int] = []
    evaluate = evaluation.refresh_many

    def noted(people: list[Participant], **how: Any) -> Any:
        told.append(len(people))
        return evaluate(people, **how)

    monkeypatch.setattr(evaluation, "refresh_many", noted)
    enrolment.enrol_all(trial, sheet, may_contact=False)
    assert told == [2]
    assert ParticipantStatusSummary.objects.filter(participant__trial=trial).count() == 2
