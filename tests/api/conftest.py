"""A trial with a member and their token, and clients that bring it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import caches
from django.test import Client
from django.utils import timezone

from participants.models import Membership, Trial, User
from participants.services.api_tokens import token_create
from tests.factories import MembershipFactory, TrialFactory

Bring = Callable[..., Client]


@pytest.fixture(autouse=True)
def _fresh(settings: Any) -> None:
    """No request of another test counts, and answers can be encrypted."""
    caches["shared"].clear()
    settings.TOKEN_KEYS = ["a-key-for-the-tests"]


@pytest.fixture
def trial() -> Trial:
    trial: Trial = TrialFactory.create(code="STRIDE-2")
    return trial


@pytest.fixture
def manager(trial: Trial) -> User:
    user: User = MembershipFactory.create(trial=trial, role=Membership.Role.MANAGER).user
    return user


def token_key(user: User, *, can_write: bool = False, trials: list[Trial] | None = None) -> str:
    """The key of a new token of a user's."""
    ends = timezone.now() + dt.timedelta(days=30)
    return token_create(user=user, name="test", expires_at=ends, can_write=can_write, trials=trials)[1]


@pytest.fixture
def bring() -> Bring:
    """A client with a new token of a user's: `bring(user, can_write=True, trials=[...])`."""

    def client(user: User, *, can_write: bool = False, trials: list[Trial] | None = None) -> Client:
        return Client(headers={"Authorization": f"Bearer {token_key(user, can_write=can_write, trials=trials)}"})

    return client


@pytest.fixture
def reader(manager: User, bring: Bring) -> Client:
    """The manager's read-only token."""
    return bring(manager)


@pytest.fixture
def writer(manager: User, bring: Bring) -> Client:
    """The manager's token that may write."""
    return bring(manager, can_write=True)
