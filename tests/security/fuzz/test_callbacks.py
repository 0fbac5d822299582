"""Answers of a vendor's screen that it never gave: a page for each, no connection, and nothing of them in the log."""

from __future__ import annotations

import datetime as dt
import random
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from ingestion.connections import invitations
from ingestion.models import Connection
from tests.conftest import SetUpProviders
from tests.factories import ParticipantFactory
from tests.ingestion.connections.vendor import ACCESS, CODE, REFRESH, Vendor
from tests.security.fuzz.conftest import Watch
from tests.security.fuzz.mutations import chances, counted, fuzzed, spoilt, texts

pytestmark = pytest.mark.django_db

NAMES = st.sampled_from(["state", "code", "error", "error_description", "scope", "prompt", "iss", "next", "x"])


@pytest.fixture
def vendor(set_up_providers: SetUpProviders) -> Vendor:
    made = Vendor()
    set_up_providers(made)
    return made


def begun() -> tuple[Client, str, str]:
    """A browser on its way back, with the code of its invitation and the state that it took along."""
    person = ParticipantFactory.create()
    invitation = invitations.invitation_create(participant=person, by=None, now=dt.datetime.now(dt.UTC))
    code, browser = invitations.invitation_code(invitation), Client(raise_request_exception=False)
    away = browser.post(reverse("ingestion:start", args=[code, "vendor"]))
    return browser, code, parse_qs(urlsplit(away.headers["Location"]).query)["state"][0]


@fuzzed(0.13)
@given(chance=chances, more=st.lists(st.tuples(NAMES, texts), max_size=4), keep=st.sampled_from(["state", "code", ""]))
def test_a_spoilt_answer_has_its_page(
    vendor: Vendor, watch: Watch, chance: random.Random, more: list[tuple[str, str]], keep: str
) -> None:
    browser, link, state = begun()
    answer = {"state": state, "code": CODE}
    query = spoilt(urlencode(answer).encode(), chance).decode("latin-1")
    if keep:
        query = urlencode({keep: answer[keep]}) + "&" + query
    query += "&" + urlencode(more, errors="replace")
    with watch(state, CODE, ACCESS, REFRESH, link):
        response = browser.get(
            "/connect/callback/vendor/", QUERY_STRING=query[:8_000].encode("ascii", "replace").decode()
        )
    assert response.status_code < 500
    assert ACCESS not in str(response.headers)
    counted("callbacks", response.status_code)


@fuzzed(0.04)
@given(chance=chances, where=st.sampled_from(["connect", "start", "stop", "opt-out"]), post=st.booleans())
def test_a_spoilt_link_opens_nothing(
    vendor: Vendor, watch: Watch, chance: random.Random, where: str, post: bool
) -> None:
    browser, link, _ = begun()
    before = Connection.objects.count()
    code = spoilt(link.encode(), chance).decode("latin-1").replace(link, "") or "x"
    path = f"/opt-out/{code}/" if where == "opt-out" else f"/connect/{code}/"
    path += {"start": "to/vendor/", "stop": "stop/vendor/"}.get(where, "")
    with watch(link):
        response = (browser.post if post else browser.get)(path)
    assert response.status_code < 500
    assert Connection.objects.count() == before
    counted("links", response.status_code)
