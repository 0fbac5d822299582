"""Everybody who may knock: people with a session, programs with a token."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

from django.core.cache import caches
from django.test import Client
from django.utils import timezone

from config.middleware.limits import SHARED
from participants.models import ApiToken, Membership, Participant, Site, Trial, User
from participants.services.api_tokens import token_revoke
from tests import factories
from tests.api.conftest import token_key
from tests.api.scene import CODE, PK, STUDY_ID, scene
from tests.programs import brought_into, program

ROLE = Membership.Role
# With a session.
ANONYMOUS, STRANGER, FORMER = "anonymous", "another trial's manager", "former manager"
VIEWER, ANALYST, COORDINATOR, MANAGER = "viewer", "analyst", "coordinator", "manager"
ELSEWHERE = "manager of another site"
STAFF, SUPERUSER = "staff", "superuser without a membership"
# With a token of the manager's.
REVOKED, EXPIRED, READING, WRITING = "revoked token", "expired token", "reading token", "writing token"
OF_ANOTHER = "writing token for another trial"
# Of a program: another trial's, brought into this one past every rule.
PROGRAM_OF_ANOTHER = "another trial's program"
WITH_SESSION = (
    ANONYMOUS,
    STRANGER,
    FORMER,
    VIEWER,
    ANALYST,
    ELSEWHERE,
    COORDINATOR,
    MANAGER,
    STAFF,
    SUPERUSER,
)
WITH_TOKEN = (REVOKED, EXPIRED, READING, WRITING, OF_ANOTHER, PROGRAM_OF_ANOTHER)
EVERYBODY = (*WITH_SESSION, *WITH_TOKEN)

PERSON = f"/api/v1/trials/{CODE}/participants/{STUDY_ID}"
# What is sent where nothing would be refused before anybody asks who sends it.
BODIES: dict[str, dict[str, Any]] = {
    f"/api/v1/trials/{CODE}/alerts/{PK}/assign": {"to": None},
    f"/api/v1/trials/{CODE}/alerts/{PK}/snooze": {"days": 3},
    f"/api/v1/trials/{CODE}/participants": {"study_id": "NEW-1"},
    f"{PERSON}/complete": {"on": "2026-11-20"},
    f"{PERSON}/pause": {"starts_on": "2026-11-20", "reason": "holiday"},
    f"{PERSON}/resume": {"ends_on": "2026-11-20"},
    f"{PERSON}/withdraw": {"on": "2026-11-20"},
    f"/api/v1/trials/{CODE}/contacts": {"study_id": STUDY_ID, "outcome": "Reached her", "reason": "no upload"},
}

Knock = Callable[[str, str, str], Any]


def everybody() -> Knock:
    """Makes the scene and everybody in it; the answer sends a request: `knock(who, method, address)`."""
    trial = scene()
    users = _users(trial)
    cookies = {who: _session(user) for who, user in users.items()}
    keys = _tokens(users[MANAGER])

    def knock(who: str, method: str, address: str) -> Any:
        caches[SHARED].clear()  # nobody here is counted
        client = Client(raise_request_exception=False)
        headers = {"Accept": "*/*"}
        if who in cookies:
            client.cookies = cookies[who].copy()
        if who in keys:
            headers["Authorization"] = f"Bearer {keys[who]}"
        send = getattr(client, method.lower())
        if method == "GET":
            return send(address, headers=headers)
        body = BODIES.get(address, {})
        if method == "POST" and not address.startswith(("/api/", "/data/")):
            return send(address, body, headers=headers)
        return send(address, json.dumps(body), content_type="application/json", headers=headers)

    return knock


def _users(trial: Trial) -> dict[str, User]:
    member = factories.MembershipFactory.create
    here = Site.objects.get(trial=trial)
    assert Participant.objects.get(trial=trial, study_id=STUDY_ID).site == here
    there = factories.SiteFactory.create(trial=trial, code="there")
    return {
        STRANGER: member(role=ROLE.MANAGER).user,
        FORMER: member(trial=trial, role=ROLE.MANAGER, ended_at="2026-01-01T00:00Z").user,
        VIEWER: member(trial=trial, role=ROLE.VIEWER).user,
        ANALYST: member(trial=trial, role=ROLE.ANALYST).user,
        ELSEWHERE: member(trial=trial, site=there, role=ROLE.MANAGER).user,
        COORDINATOR: member(trial=trial, role=ROLE.COORDINATOR).user,
        MANAGER: member(trial=trial, role=ROLE.MANAGER).user,
        STAFF: factories.UserFactory.create(is_staff=True),
        SUPERUSER: factories.UserFactory.create(is_staff=True, is_superuser=True),
    }


def _session(user: User) -> Any:
    client = Client()
    client.force_login(user)
    return client.cookies


def _tokens(manager: User) -> dict[str, str]:
    other = factories.MembershipFactory.create(user=manager, role=ROLE.MANAGER).trial
    own = Trial.objects.get(code=CODE)
    stranger = program(other)
    brought_into(stranger, own)
    keys = {
        REVOKED: token_key(manager, can_write=True),
        EXPIRED: token_key(manager, can_write=True),
        READING: token_key(manager),
        WRITING: token_key(manager, can_write=True, trials=[own]),
        OF_ANOTHER: token_key(manager, can_write=True, trials=[other]),
        PROGRAM_OF_ANOTHER: token_key(stranger, can_write=True),
    }
    token_revoke(_token(keys[REVOKED]))
    ApiToken.objects.filter(pk=_token(keys[EXPIRED]).pk).update(expires_at=timezone.now() - dt.timedelta(seconds=1))
    return keys


def _token(key: str) -> ApiToken:
    return ApiToken.objects.get(prefix=key.split("_")[1])
