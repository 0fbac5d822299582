"""While a server is away: 503 with its reason, for people and for programs, and never a fault taken for an outage."""

from __future__ import annotations

import errno
from typing import Any

import django.db
import kombu.exceptions
import psycopg
import pytest
import redis
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from config.errors import outages
from config.middleware.sessions import Sessions


def caused(by: BaseException) -> BaseException:
    fault = django.db.OperationalError("connection to server at db.internal failed")
    fault.__cause__ = by
    return fault


@pytest.mark.parametrize(
    ("fault", "outage"),
    [
        (caused(psycopg.OperationalError("connection refused")), outages.AWAY),
        (caused(psycopg.errors.AdminShutdown("terminating connection")), outages.AWAY),
        (caused(psycopg.errors.CannotConnectNow("the database system is starting up")), outages.AWAY),
        (caused(psycopg.errors.TooManyConnections("sorry, too many clients already")), outages.AWAY),
        (caused(psycopg.errors.DiskFull("could not extend file")), outages.FULL),
        (caused(psycopg.errors.QueryCanceled("statement timeout")), outages.SLOW),
        (caused(psycopg.errors.ReadOnlySqlTransaction("cannot execute UPDATE")), outages.READ_ONLY),
        (django.db.InterfaceError("connection already closed"), outages.AWAY),
        (OSError(errno.ENOSPC, "No space left on device"), outages.FULL),
        (redis.ConnectionError("Connection refused"), outages.QUEUE_AWAY),
        (kombu.exceptions.OperationalError("Connection refused"), outages.QUEUE_AWAY),
        # Ours, and to be told as ours.
        (caused(psycopg.errors.DeadlockDetected("deadlock detected")), None),
        (caused(psycopg.errors.UndefinedTable("relation does not exist")), None),
        (django.db.IntegrityError("duplicate key"), None),
        (FileNotFoundError(errno.ENOENT, "no such file"), None),
        (KeyError("name"), None),
        (None, None),
    ],
)
def test_outages_are_told_by_the_fault(fault: BaseException | None, outage: outages.Outage | None) -> None:
    assert outages.outage_of(fault) is outage


@pytest.fixture
def knocker(monkeypatch: pytest.MonkeyPatch) -> Client:
    """With a session that cannot be loaded. No test here may touch a database."""

    def away(self: SessionStore) -> dict[str, object]:
        raise caused(psycopg.OperationalError("connection refused"))

    monkeypatch.setattr(SessionStore, "load", away)
    client = Client(raise_request_exception=False)
    client.cookies["sessionid"] = "x" * 32
    return client


def test_a_page_says_so_and_tries_again_by_itself(knocker: Client) -> None:
    answer = knocker.get("/")
    page = answer.content.decode()
    assert answer.status_code == 503
    assert answer["Retry-After"] == "15"
    assert "The database does not answer" in page
    assert '<meta http-equiv="refresh" content="15">' in page
    assert "db.internal" not in page
    assert "Traceback" not in page


def test_who_sent_something_is_told_that_nothing_was_saved(knocker: Client) -> None:
    answer = knocker.post("/account/sign-out-everywhere/")
    page = answer.content.decode()
    assert answer.status_code == 503
    assert "Nothing was saved." in page
    assert "http-equiv" not in page, "sent once must not be sent again by itself"


def test_programs_get_problem_details(knocker: Client) -> None:
    answer = knocker.get("/api/v1/trials")
    assert (answer.status_code, answer["Content-Type"], answer["Retry-After"]) == (
        503,
        "application/problem+json",
        "15",
    )
    told = answer.json()
    assert (told["status"], told["code"], told["title"]) == (503, "database-away", "The database does not answer")
    assert "Nothing was saved" in knocker.post("/api/v1/trials", {}, content_type="application/json").json()["detail"]


def test_a_fault_of_ours_stays_one(knocker: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: SessionStore) -> dict[str, object]:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(SessionStore, "load", broken)
    answer = knocker.get("/")
    assert answer.status_code == 500
    assert b"The fault is ours" in answer.content


def answered(monkeypatch: pytest.MonkeyPatch, method: str, fault: psycopg.Error) -> Any:
    """A page whose session was touched and cannot be stored."""

    def refused(self: SessionStore, must_create: bool = False) -> None:
        raise caused(fault)

    def page(request: HttpRequest) -> HttpResponse:
        request.session["seen_at"] = 1
        return HttpResponse("read")

    monkeypatch.setattr(SessionStore, "save", refused)
    return Sessions(page)(getattr(RequestFactory(), method)("/"))


def test_a_page_that_was_only_read_needs_no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = answered(monkeypatch, "get", psycopg.errors.DiskFull("could not extend file"))
    assert (answer.status_code, answer.content) == (200, b"read")


@pytest.mark.parametrize(
    ("method", "fault"),
    [("post", psycopg.errors.DiskFull("could not extend file")), ("get", psycopg.OperationalError("refused"))],
)
def test_anything_else_that_cannot_be_stored_is_told(
    monkeypatch: pytest.MonkeyPatch, method: str, fault: psycopg.Error
) -> None:
    with pytest.raises(django.db.OperationalError):
        answered(monkeypatch, method, fault)
