"""A walk over every address of the site, as over HTTPS: headers, cookies, redirects, and what error pages tell.

The addresses come from the URL configuration, so a new page is walked without being named here.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import runpy
from collections.abc import Iterator
from http.cookies import Morsel
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client, override_settings

from config.health.views import ENDPOINTS
from config.middleware import limits
from dashboards.messaging import unsubscribe
from ingestion.connections import invitations
from participants.models import Participant, Trial
from tests import database
from tests.factories import MembershipFactory, ParticipantFactory, TrialFactory, UserFactory
from tests.paths import ROOT
from tests.security.addresses import Place, places

pytestmark = pytest.mark.django_db

METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
VENDOR = "https://accounts.google.com/"
# What tells an attacker how the site is made, or what it holds.
INSIDE = re.compile(
    r"Traceback|site-packages|\.py\b|django\.|psycopg|(?<!<)SELECT |Exception|a-secret-of-ours|DEBUG|SECRET_KEY",
    re.IGNORECASE,
)
NAMES = re.compile(r"(SESSION_|CSRF_|SECURE_|X_FRAME|HTTPS$|LANGUAGE_COOKIE)")


@pytest.fixture(scope="module")
def deployed() -> Iterator[None]:
    """The settings that follow from HTTPS=True, as settings.py makes them."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(SECRET_KEY="x", DATABASE_URL="postgresql://a@b/c", HTTPS="True")
    try:
        loaded = runpy.run_path(str(ROOT / "config" / "settings.py"))
    finally:
        os.environ.clear()
        os.environ.update(before)
    with override_settings(**{name: value for name, value in loaded.items() if NAMES.match(name)}):
        yield


@pytest.fixture
def trial(deployed: None, settings: Any) -> Trial:
    settings.TOKEN_KEYS = ["a key for tests"]
    settings.LIVE_PROVIDERS = {"google_health": {"client_id": "a", "client_secret": "b"}}
    made: Trial = TrialFactory.create(code="STRIDE-2", is_demo=True)
    return made


@pytest.fixture
def person(trial: Trial) -> Participant:
    made: Participant = ParticipantFactory.create(trial=trial, study_id="AX-0042")
    return made


@pytest.fixture
def samples(person: Participant) -> dict[str, str]:
    invitation = invitations.invitation_create(participant=person, by=None, now=dt.datetime.now(dt.UTC))
    code = invitations.invitation_code(invitation)
    return {
        "code": person.trial.code,
        "study_id": person.study_id,
        "date": "2026-11-20",
        "provider": "google_health",
        "pk": str(invitation.pk),
        "verb": "snooze",
        "app_label": "participants",
        "dashboards:opt-out:code": unsubscribe.code_of(person),
        **{f"ingestion:{name}:code": code for name in ("connect", "start", "stop")},
    }


def client(**options: Any) -> Client:
    return Client(raise_request_exception=False, **options)


@pytest.fixture
def superuser(trial: Trial) -> Any:
    user = UserFactory.create(is_staff=True, is_superuser=True)
    MembershipFactory.create(user=user, trial=trial)
    return user


# --- what every answer must have ----------------------------------------------------------------------------------


def faults(response: Any, *, secure: bool = True, static: bool = False) -> list[str]:
    """What an answer lacks."""
    headers, found = response.headers, []
    policy = headers.get("Content-Security-Policy", "")
    if "default-src 'none'" not in policy or "unsafe-inline" in policy or "unsafe-eval" in policy:
        found.append(f"policy {policy!r}")
    expected = {
        "X-Content-Type-Options": ("nosniff",),
        "X-Frame-Options": ("DENY",),
        "Referrer-Policy": ("same-origin", "no-referrer"),
        "Cross-Origin-Opener-Policy": ("same-origin",),
        "Cross-Origin-Resource-Policy": ("same-origin",),
    }
    if secure:
        expected["Strict-Transport-Security"] = ("max-age=31536000; includeSubDomains; preload",)
    found += [f"{name}: {headers.get(name)}" for name, good in expected.items() if headers.get(name) not in good]
    if "camera=()" not in headers.get("Permissions-Policy", ""):
        found.append("no Permissions-Policy")
    cache = headers.get("Cache-Control", "")
    revalidated = "private" in cache and "no-cache" in cache and "ETag" in headers
    if not static and "no-store" not in cache and not revalidated:
        found.append(f"Cache-Control: {cache!r}")
    found += [f"tells {name}" for name in ("Server", "X-Powered-By", "Access-Control-Allow-Origin") if name in headers]
    return found + [fault for cookie in response.cookies.values() for fault in cookie_faults(cookie)]


def cookie_faults(cookie: Morsel[str]) -> list[str]:
    flags = {
        "name": cookie.key.startswith("__Host-"),
        "Secure": bool(cookie["secure"]),
        "HttpOnly": bool(cookie["httponly"]) or not cookie.value,  # one that is taken back holds nothing
        "SameSite": cookie["samesite"] in ("Lax", "Strict"),
        "Path": cookie["path"] == "/",
        "Domain": not cookie["domain"],
    }
    return [f"cookie {cookie.key} without {name}" for name, good in flags.items() if not good]


def is_local(location: str) -> bool:
    parts = urlsplit(location)
    return (
        parts.netloc in ("", "testserver") and parts.scheme in ("", "https") and not location.startswith(("//", "/\\"))
    )


def body(response: Any) -> str:
    raw = b"".join(response.streaming_content) if response.streaming else response.content
    return str(raw.decode("utf-8", "replace"))


def walked(place: Place, path: str, visitor: Client, methods: tuple[str, ...] = METHODS) -> list[str]:
    """What is wrong with the answers of one address."""
    found = []
    for method in methods:
        response = getattr(visitor, method)(path, secure=True)
        said = faults(response, secure=path not in ENDPOINTS)
        if response.status_code >= 500:
            said.append(f"answers {response.status_code}")
        location = response.headers.get("Location", "")
        away = place.name == "ingestion:start" and location.startswith(VENDOR)
        if location and not is_local(location) and not away:
            said.append(f"leads to {location}")
        if response.status_code >= 400 and (told := INSIDE.search(body(response))):
            said.append(f"tells {told[0]}")
        found += [f"{method} {place.route} ({response.status_code}): {one}" for one in said]
    return found


# --- the walks ----------------------------------------------------------------------------------------------------


def test_the_walk_knows_the_whole_site() -> None:
    names = {place.name for place in places()}
    assert {"dashboards:trial", "ingestion:webhook", "admin:participants_trial_changelist"} <= names
    assert any(place.route.startswith("/api/v1/") for place in places())


def test_strangers_find_nothing_wrong_anywhere(samples: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RATES", {})
    found = [fault for place in places() for fault in walked(place, place.filled(samples), client())]
    assert found == [], "\n".join(found)


def test_a_superuser_finds_nothing_wrong_anywhere(
    samples: dict[str, str], superuser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RATES", {})
    found = []
    for place in places():
        visitor = client()
        visitor.force_login(superuser)
        # Of the administration's hundreds, what they answer at all.
        methods = ("get", "post") if place.name.startswith("admin:") else METHODS
        found += walked(place, place.filled(samples), visitor, methods)
    assert found == [], "\n".join(found)


def test_over_plain_http_every_address_leads_to_https(samples: dict[str, str]) -> None:
    found = []
    for place in places():
        path = place.filled(samples)
        response = client().get(path)
        if path in ENDPOINTS:  # who asks them stands inside and speaks plain HTTP
            assert response.status_code in (200, 503)
        elif response.status_code != 301 or not response.headers["Location"].startswith("https://testserver/"):
            found.append(f"{path} answers {response.status_code}")
        found += [f"{path}: {one}" for one in faults(response, secure=False)]
    assert found == []


@pytest.mark.parametrize(
    "path", ["css/app.css", "js/app.js", "icon.svg", "vendor/luxon-3.7.2/luxon.min.js", "none.css"]
)
def test_static_files_have_the_same_headers(path: str, trial: Trial) -> None:
    response = client().get(f"/static/{path}", secure=True)
    assert response.status_code == (404 if path == "none.css" else 200)
    assert faults(response, static=response.status_code == 200) == []


# --- errors -------------------------------------------------------------------------------------------------------


def errors(superuser: Any, settings: Any) -> Iterator[tuple[int, Any]]:
    """An answer of each kind of error, with the status it must have."""
    visitor, checked = client(), client(enforce_csrf_checks=True)
    yield 400, visitor.get("/login/", secure=True, HTTP_HOST="evil.example")
    yield 400, visitor.post("/login/", b"", content_type="text/plain", secure=True, CONTENT_LENGTH="x")
    yield 403, checked.post("/login/", {"username": "a"}, secure=True)
    yield 404, visitor.get("/a-secret-of-ours/", secure=True)
    yield 404, visitor.get("/api/v1/a-secret-of-ours", secure=True)
    yield 405, visitor.get("/webhooks/google_health/", secure=True)
    settings.MOST_BODY_BYTES = 10
    yield 413, visitor.post("/login/", b"x" * 11, content_type="text/plain", secure=True)
    settings.MOST_BODY_BYTES = 20 * 2**20
    for _ in range(31):
        held = visitor.get("/connect/a-secret-of-ours/", secure=True)
    yield 429, held

    visitor.force_login(superuser)
    with database.failing('FROM "participants_trial"', RuntimeError("a-secret-of-ours")):
        yield 500, visitor.get("/", secure=True)
        yield 500, visitor.get("/api/v1/trials", secure=True)


def test_error_pages_have_all_headers_and_tell_nothing_of_the_inside(superuser: Any, settings: Any) -> None:
    found = []
    for status, response in errors(superuser, settings):
        if response.status_code != status:
            found.append(f"{response.status_code} instead of {status}")
        found += [f"{status}: {one}" for one in faults(response)]
        if told := INSIDE.search(body(response)):
            found.append(f"{status} tells {told[0]}")
    assert found == []


# --- redirects and cookies ----------------------------------------------------------------------------------------

ELSEWHERE = (
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "https:evil.example",
    "javascript:alert(1)",
    "\thttps://evil.example",
    "https://testserver@evil.example/",
)


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_no_parameter_leads_to_another_site(elsewhere: str, superuser: Any) -> None:
    visitor = client()
    visitor.force_login(superuser)
    for path in ("/login/", "/admin/login/", "/logout/"):
        for response in (
            visitor.get(path, {"next": elsewhere}, secure=True),
            visitor.post(path, {"next": elsewhere}, secure=True),
        ):
            assert is_local(response.headers.get("Location", "/")), response.headers["Location"]
            visitor.force_login(superuser)


@pytest.mark.parametrize("host", ["evil.example", "testserver.evil.example", "testserver:80@evil.example", ""])
def test_a_foreign_host_is_not_repeated(host: str, trial: Trial) -> None:
    response = client().get("/login/", HTTP_HOST=host)
    assert response.status_code in (301, 400)
    assert "evil" not in response.headers.get("Location", "") + body(response)


def test_the_cookies_of_a_session_and_a_form_are_for_this_host_alone(trial: Trial, superuser: Any) -> None:
    visitor = client()
    visitor.force_login(superuser)
    response = visitor.get("/digests/", secure=True)
    assert faults(response) == []
    assert set(visitor.cookies) == {"__Host-sessionid", "__Host-csrftoken"}
