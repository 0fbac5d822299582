"""Setting a new password by mail, and changing it: no answer tells who has an account."""

from __future__ import annotations

import re
from typing import Any

from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from participants.models import AuditEntry, User
from tests import broker
from tests.participants.accounts.conftest import PASSWORD, code_of, sign_in, text

NEW = "four-unlike-words-here"


def ask(client: Client, email: str) -> Any:
    return client.post(reverse("account_reset_password"), {"email": email})


def link() -> str:
    found = re.search(r"https://trials.example.org(/account/password/reset/\S+)", str(mail.outbox[-1].body))
    assert found
    return found[1]


def set_new(client: Client, address: str, password: str = NEW) -> Any:
    form = client.get(address).headers.get("Location", address)
    return client.post(form, {"password1": password, "password2": password})


def test_the_link_from_the_mail_sets_a_password(client: Client, viewer: User) -> None:
    ask(client, "Viewer@Example.org")
    set_new(client, link())
    assert sign_in(client, viewer.email, NEW).status_code == 302
    assert AuditEntry.objects.filter(action="account.password_reset").exists()


def test_known_and_unknown_addresses_get_the_same_answer(client: Client, viewer: User) -> None:
    answers = [ask(client, email) for email in (viewer.email, "nobody@example.org")]
    assert [(one.status_code, one.headers["Location"]) for one in answers] == [
        (302, "/account/password/reset/sent/")
    ] * 2
    assert [message.to for message in mail.outbox] == [[viewer.email]]


def test_the_page_finds_no_account_so_every_answer_takes_as_long(client: Client, viewer: User) -> None:
    counts = []
    for email in (viewer.email, "nobody@example.org"):
        with CaptureQueriesContext(connection) as queries, broker.tasks_run_at_once(False):
            ask(client, email)
        counts.append(sum("participants_user" in query["sql"] for query in queries.captured_queries))
    assert broker.sent("participants.mail_reset") == [(viewer.email,), ("nobody@example.org",)]
    assert counts == [0, 0]


def test_a_link_works_once(client: Client, viewer: User) -> None:
    ask(client, viewer.email)
    address = link()
    set_new(client, address)
    assert "does not work any more" in text(Client().get(address))


def test_a_new_password_does_not_replace_the_second_factor(client: Client, manager: User, secret: str) -> None:
    ask(client, manager.email)
    set_new(client, link())
    assert sign_in(client, manager.email, NEW).headers["Location"] == "/login/code/"
    assert client.post("/login/code/", {"code": code_of(secret)}).status_code == 302


def test_a_new_password_ends_all_sessions(client: Client, viewer: User) -> None:
    elsewhere = Client()
    sign_in(elsewhere, viewer.email)
    ask(client, viewer.email)
    set_new(client, link())
    assert elsewhere.get("/").status_code == 302


def test_a_password_must_be_long_and_not_common(client: Client, viewer: User) -> None:
    ask(client, viewer.email)
    assert "too short" in text(set_new(client, link(), "short"))


def test_asking_too_often_is_refused_whoever_is_asked_for(client: Client, viewer: User) -> None:
    for email in (viewer.email, "nobody@example.org"):
        answers = [ask(client, email).status_code for _ in range(4)]
        assert answers == [302, 302, 302, 429]
    assert len(mail.outbox) == 3


def test_a_closed_account_gets_no_link(client: Client, viewer: User) -> None:
    User.objects.update(is_active=False)
    ask(client, viewer.email)
    assert mail.outbox == []


def test_without_a_mail_server_the_page_says_so_to_everybody(client: Client, viewer: User, settings: Any) -> None:
    settings.EMAIL_HOST = ""
    for email in (viewer.email, "nobody@example.org"):
        assert "no mail server" in text(ask(client, email))


def test_without_a_worker_the_page_says_so_to_everybody(client: Client, viewer: User, broker_away: None) -> None:
    for email in (viewer.email, "nobody@example.org"):
        with broker.tasks_run_at_once(False):
            answer = ask(client, email)
        assert answer.status_code == 503
        assert "Try again in a few minutes" in text(answer)


def test_changing_it_asks_for_the_old_one_ends_other_sessions_and_is_told(client: Client, viewer: User) -> None:
    elsewhere = Client()
    sign_in(elsewhere, viewer.email)
    sign_in(client, viewer.email)
    form = {"oldpassword": "wrong", "password1": NEW, "password2": NEW}
    assert "not your password" in text(client.post(reverse("account_change_password"), form))
    answer = client.post(reverse("account_change_password"), form | {"oldpassword": PASSWORD})
    assert answer.headers["Location"] == "/account/"
    assert client.get("/").status_code == 200
    assert elsewhere.get("/").status_code == 302
    assert AuditEntry.objects.filter(action="account.password_changed").exists()
