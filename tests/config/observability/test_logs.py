"""Log lines: their form, their ids, and that nothing of people stands in them, whatever failed."""

from __future__ import annotations

import json
import logging
import logging.config
import smtplib
import time
from collections.abc import Iterator
from contextlib import suppress
from io import StringIO
from typing import Any

import pytest
from celery import Task
from celery.contrib.testing.worker import start_worker
from django.core.mail import EmailMessage
from django.db import IntegrityError
from django.test import Client
from pytest_django import Settings

from config.celery import app
from config.observability import context, mail
from config.observability.logs import Formatter
from participants.models import User
from participants.privacy.contacts import contact_store
from tests.config.observability.growth import Growth
from tests.factories import MembershipFactory, ParticipantFactory

log = logging.getLogger("tests.logs")
PERSON, ADDRESS = "Wilhelmina Oosterhuis", "w.oosterhuis@example.net"


@pytest.fixture(params=["json", "line"])
def written(request: pytest.FixtureRequest) -> Iterator[StringIO]:
    """All that is logged meanwhile, down to DEBUG, as servers write it."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Formatter(request.param))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def record(text: str, *args: object, error: BaseException | None = None) -> dict[str, Any]:
    info = (type(error), error, error.__traceback__) if error else None
    made = logging.LogRecord("a.b", logging.INFO, "", 0, text, args, info)
    return dict(json.loads(Formatter("json").format(made)))


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except type(error) as found:
        return found


def test_a_record_is_one_object_in_utc() -> None:
    with context.request("request-1"):
        found = record("%s of %s", 1, 2)
    assert (found["level"], found["logger"], found["message"], found["request_id"]) == (
        "INFO",
        "a.b",
        "1 of 2",
        "request-1",
    )
    assert found["time"].endswith("+00:00")


def test_a_line_names_the_ids_and_keeps_what_others_wrote_inside_it() -> None:
    made = logging.LogRecord("a.b", logging.INFO, "", 0, "one\n2026 INFO forged", (), None)
    with context.request("request-1"):
        text = Formatter("line").format(made)
    assert "INFO a.b [request_id=request-1] one\n    2026 INFO forged" in text


def test_an_exception_keeps_its_traceback_and_what_led_to_it() -> None:
    found = record("failed", error=raised(ValueError("outer"), raised(KeyError("inner"))))
    assert found["exception"].index("KeyError") < found["exception"].index("Which led to:")
    assert "test_logs.py" in found["exception"]
    assert found["exception"].endswith("ValueError: outer")


@pytest.mark.django_db
def test_what_a_database_quotes_is_not_written(written: StringIO) -> None:
    User.objects.create(email=ADDRESS)
    try:
        User.objects.create(email=ADDRESS)
    except IntegrityError as fault:
        log.exception("not stored: %s", fault)
    assert ADDRESS not in written.getvalue()
    assert "SQLSTATE 23505" in written.getvalue()


def test_what_a_mail_server_repeats_is_not_written(written: StringIO) -> None:
    refused = smtplib.SMTPRecipientsRefused({ADDRESS: (550, f"no {PERSON} here".encode())})
    log.error("not sent: %s", refused, exc_info=raised(refused))
    unknown = smtplib.SMTPDataError(554, f"{PERSON} is unknown".encode())
    log.error("not sent: %s", unknown, exc_info=raised(unknown))
    assert not [word for word in (PERSON, ADDRESS) if word in written.getvalue()]
    assert "554" in written.getvalue()


@app.task(name="tests.fails")  # type: ignore[untyped-decorator]
def fails(address: str, name: str) -> None:
    raise IntegrityError(f"duplicate key\nDETAIL:  Key (email)=({address}) already exists.")


def test_the_arguments_of_a_failing_task_are_not_written(written: StringIO) -> None:
    fails.apply((ADDRESS, PERSON))
    assert "tests.fails" in written.getvalue()
    assert not [word for word in (PERSON, ADDRESS) if word in written.getvalue()]


@pytest.mark.django_db
def test_pages_of_people_leave_nothing_of_them_in_the_log(written: StringIO, settings: Settings) -> None:
    who = ParticipantFactory()
    settings.TOKEN_KEYS = ["a-key-for-tests-that-is-long-enough"]
    contact_store(who, name=PERSON, email=ADDRESS)
    client = Client()
    client.force_login(MembershipFactory(trial=who.trial, role="manager").user)
    trial = f"/trials/{who.trial.code}/"
    for address in (f"{trial}contacts/", f"{trial}participants/{who.study_id}/", f"{trial}calls/", f"{trial}nowhere/"):
        client.get(address, {"q": PERSON, "email": ADDRESS})
    client.post(f"{trial}contact/", {"name": PERSON, "to": ADDRESS})
    client.post("/login/", {"login": ADDRESS, "password": PERSON})
    assert not [
        word for word in (PERSON, PERSON.replace(" ", "+"), ADDRESS, "oosterhuis%40") if word in written.getvalue()
    ]


# --- ids ----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_answer_log_and_audit_trail_name_the_same_request(written: StringIO, settings: Settings) -> None:
    settings.BEHIND_PROXY = True
    answer = Client().get("/no/such/address/", headers={"X-Request-ID": "proxy-00001"})
    assert answer.headers["X-Request-ID"] == "proxy-00001"
    assert "proxy-00001" in next(line for line in written.getvalue().splitlines() if "Not Found" in line)


def test_without_a_proxy_nobody_chooses_an_id() -> None:
    answer = Client().get("/health/live", headers={"X-Request-ID": "chosen-00001"})
    assert answer.headers["X-Request-ID"] not in ("", "chosen-00001")


ran: list[dict[str, str]] = []


@app.task(name="tests.says", bind=True)  # type: ignore[untyped-decorator]
def says(self: Task) -> None:
    ran.append(context.current())


@pytest.fixture
def in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker of this process; and pytest keeps its own logging, which a worker would set up anew."""
    monkeypatch.setattr(logging.config, "dictConfig", lambda _: None)
    monkeypatch.setattr(app.conf, "broker_url", "memory://")


@pytest.mark.usefixtures("in_memory")
def test_a_task_runs_under_the_id_of_the_request_that_started_it() -> None:
    with (
        start_worker(app, perform_ping_check=False, pool="solo", loglevel="INFO"),
        app.connection_for_write() as broker,  # tests before may have left a pool of connections to another
        context.request("request-7"),
    ):
        sent = says.apply_async(connection=broker)
        until = time.monotonic() + 20
        while not ran and time.monotonic() < until:
            time.sleep(0.02)
    assert ran == [{"request_id": "request-7", "task_id": sent.id, "task": "tests.says"}]


# --- mail ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (None, "sent"),
        (smtplib.SMTPRecipientsRefused({ADDRESS: (550, b"")}), "refused"),
        (smtplib.SMTPRecipientsRefused({ADDRESS: (450, b"")}), "later"),
        (smtplib.SMTPDataError(554, b""), "refused"),
        (smtplib.SMTPDataError(421, b""), "later"),
        (smtplib.SMTPServerDisconnected(), "unsure"),
    ],
)
def test_e_mails_are_counted_by_what_the_server_said(
    fault: Exception | None, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Server:
        def sendmail(self, *_: object) -> None:
            if fault:
                raise fault

        def quit(self) -> None:
            """It goes."""

    grown = Growth("wearable_emails_sent_total", outcome=outcome)
    backend = mail.Counting(host="127.0.0.1")
    backend.connection = Server()  # type: ignore[assignment]
    with suppress(smtplib.SMTPException):
        backend.send_messages([EmailMessage("a", "b", to=[ADDRESS])])
    assert grown() == 1


def test_a_mail_server_that_is_away_is_counted() -> None:
    grown = Growth("wearable_emails_sent_total", outcome="away")
    with pytest.raises(ConnectionRefusedError):
        mail.Counting(host="127.0.0.1", port=1).open()
    assert grown() == 1
