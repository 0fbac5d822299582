"""Prometheus with its token."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import Settings

TOKEN = "a-token-for-tests"


@pytest.fixture
def prometheus(settings: Settings) -> Client:
    settings.METRICS_TOKEN = TOKEN
    return Client(headers={"Authorization": f"Bearer {TOKEN}"})
