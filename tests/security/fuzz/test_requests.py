"""Every page's form and every address of the API with what nobody would send, as a manager and as a superuser."""

from __future__ import annotations

import datetime as dt
import json
import random
import re
from typing import Any
from urllib.parse import quote

import pytest
from django.db import transaction
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from metrics.registry import METRICS
from participants.models import Membership, Participant
from participants.privacy import contacts
from participants.services.api_tokens import token_create
from tests.factories import AlertFactory, EvaluatedSummaryFactory, MembershipFactory, ParticipantFactory, TrialFactory
from tests.paths import ROOT
from tests.security.addresses import places
from tests.security.fuzz.conftest import EMAIL, SECRETS, Watch
from tests.security.fuzz.mutations import NASTY_TEXTS, chances, counted, fuzzed, spoilt, texts

pytestmark = pytest.mark.django_db

API = [place for place in places() if place.route.startswith("/api/v1/")]
PAGES = [place for place in places() if not place.route.startswith(("/api/", "/admin/", "/webhooks/", "/connect/"))]
# Names of fields as they stand in our templates and in the code that reads them.
NAMED = re.compile(r"""name="(\w+)"|(?:GET|POST|query_params)(?:\.get|\.getlist)?[\[(]"(\w+)["]""")
SOURCES = [
    *ROOT.glob("templates/**/*.html"),
    *(path for app in ("dashboards", "metrics", "participants", "ingestion") for path in (ROOT / app).glob("**/*.py")),
]
FIELDS = sorted({found[0] or found[1] for path in SOURCES for found in NAMED.findall(path.read_text())})
API_ONLY = (
    "metrics",
    "participants",
    "start",
    "end",
    "resolution",
    "cursor",
    "limit",
    "format",
    "max_points",
    "fields",
)
PARAMETERS = sorted({*FIELDS, *API_ONLY})
SOUND = [
    *("", "1", "on", "2026-11-20", "2026-11-20T08:00:00Z", "AX-0042", "STRIDE-2", "raw", "auto", "week", "1,2"),
    *(metric.code for metric in METRICS[:3]),
]
values = st.one_of(st.sampled_from(SOUND), texts)
bodies = st.dictionaries(st.sampled_from(FIELDS), st.lists(values, max_size=3), max_size=12)
queries = st.dictionaries(st.sampled_from(PARAMETERS), values, max_size=6)
METHODS = st.sampled_from(["get", "get", "get", "get", "post", "post", "put", "patch", "delete", "options"])
jsons = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), values),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(PARAMETERS), inner, max_size=6)
    ),
    max_leaves=20,
)


@pytest.fixture
def person(settings: Any) -> Participant:
    settings.TOKEN_KEYS = SECRETS["TOKEN_KEYS"]
    trial = TrialFactory.create(code="STRIDE-2", is_demo=True)
    made: Participant = ParticipantFactory.create(trial=trial, study_id="AX-0042")
    contacts.contact_store(made, name="Somebody Fuzzed", email=EMAIL)
    EvaluatedSummaryFactory.create(participant=made)
    AlertFactory.create(participant=made, pk=1)
    return made


@pytest.fixture
def manager(person: Participant) -> Membership:
    made: Membership = MembershipFactory.create(trial=person.trial, user__email="manager.own@example.org")
    return made


def drawn(place: Any, chance: random.Random, odd: str) -> str:
    """The address with places that fit, and now and then one that does not."""
    samples = {"code": "STRIDE-2", "study_id": "AX-0042", "date": "2026-11-20", "provider": "google_health", "pk": "1"}
    for name in re.findall(r"<(?:\w+:)?(\w+)>", place.route):
        if name not in samples or chance.random() < 0.05:
            text = odd.replace("/", "_").encode("utf-8", "replace").decode() or "_"
            samples[name] = chance.choice([text, "1", "snooze", "resolve", "done"])
    return str(place.filled(samples))


@fuzzed(0.12)
@given(place=st.sampled_from(PAGES), chance=chances, form=bodies, query=queries, odd=texts, post=st.booleans())
def test_no_form_of_a_page_breaks_it(
    manager: Membership,
    watch: Watch,
    place: Any,
    chance: random.Random,
    form: dict[str, list[str]],
    query: dict[str, str],
    odd: str,
    post: bool,
) -> None:
    client = Client(raise_request_exception=False, headers={"HX-Request": "true"} if chance.random() < 0.3 else {})
    client.force_login(manager.user)
    path = drawn(place, chance, odd)
    with watch(), transaction.atomic():
        if post:
            form = {name: [one.encode("utf-8", "replace").decode() for one in given] for name, given in form.items()}
            response = client.post(path, form)
        else:
            response = client.get(path, {name: one.encode("utf-8", "replace") for name, one in query.items()})
        assert response.status_code < 500, (path, form if post else query)
        b"".join(getattr(response, "streaming_content", ()))
        transaction.set_rollback(True)
    counted("forms", response.status_code)


@fuzzed(0.16)
@given(place=st.sampled_from(API), method=METHODS, chance=chances, query=queries, body=jsons, odd=texts)
def test_no_request_breaks_the_api(
    manager: Membership,
    watch: Watch,
    place: Any,
    method: str,
    chance: random.Random,
    query: dict[str, str],
    body: Any,
    odd: str,
) -> None:
    ends = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    with transaction.atomic():
        _, key = token_create(user=manager.user, name="fuzz", expires_at=ends, can_write=True)
        client = Client(raise_request_exception=False)
        raw = json.dumps(body, default=str).encode("utf-8", "replace")
        if chance.random() < 0.4:
            raw = spoilt(raw, chance)
        headers = {"Authorization": f"Bearer {key}"}
        if chance.random() < 0.3:
            name = chance.choice(["If-None-Match", "If-Match", "Idempotency-Key", "Range", "Prefer", "Authorization"])
            headers[name] = chance.choice(NASTY_TEXTS).encode("latin-1", "replace").decode("latin-1")[:500]
        kind = chance.choice(
            ["application/json"] * 6 + ["text/plain", "multipart/form-data", "application/x-www-form-urlencoded"]
        )
        asked = "&".join(f"{name}={_quoted(one)}" for name, one in query.items())
        with watch(key):
            send = getattr(client, method)
            content = {} if method == "get" else {"data": raw, "content_type": kind}
            response = send(drawn(place, chance, odd), QUERY_STRING=asked, headers=headers, **content)
            text = b"".join(response.streaming_content) if response.streaming else response.content
        assert response.status_code < 500, (method, place.route, query, raw[:300])
        assert key.encode() not in text
        transaction.set_rollback(True)
    counted("api", response.status_code)


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogateescape"))
