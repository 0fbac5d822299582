"""People with accounts, as a deployment has them: a second factor is required, the worker runs at once."""

from __future__ import annotations

import time
from typing import Any

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from participants.models import Membership, Trial, User
from tests import factories

PASSWORD = "a-long-test-password"


@pytest.fixture(autouse=True)
def _deployed(settings: Any, db: None, tasks_run_at_once: None) -> None:
    settings.SECOND_FACTOR = "required"
    settings.SESSION_IDLE_MINUTES, settings.SESSION_HOURS = 30, 12
    settings.TOKEN_KEYS = ["a-key-for-the-tests"]
    settings.EMAIL_HOST = "mail.test"
    settings.PUBLIC_URL = "https://trials.example.org"
    cache.clear()


@pytest.fixture
def trial() -> Trial:
    trial: Trial = factories.TrialFactory.create(code="STRIDE-2")
    return trial


def person(email: str, **more: Any) -> User:
    user = User(email=email, **more)
    user.set_password(PASSWORD)
    user.save()
    return user


@pytest.fixture
def manager(trial: Trial) -> User:
    user = person("manager@example.org")
    factories.MembershipFactory.create(user=user, trial=trial)
    return user


@pytest.fixture
def viewer(trial: Trial) -> User:
    user = person("viewer@example.org")
    factories.MembershipFactory.create(user=user, trial=trial, role=Membership.Role.VIEWER)
    return user


@pytest.fixture
def secret(manager: User) -> str:
    """The manager's authenticator app is set up: its key."""
    key = str(generate_totp_secret())
    TOTP.activate(manager, key)
    RecoveryCodes.activate(manager)
    return key


def code_of(secret: str, steps: int = 0) -> str:
    """What the app shows now, or so many half minutes later."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps)))


def sign_in(client: Client, email: str, password: str = PASSWORD) -> Any:
    return client.post(reverse("login"), {"login": email, "password": password})


def text(answer: Any) -> str:
    return str(answer.content.decode())
