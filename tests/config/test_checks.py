"""System checks of the settings."""

from __future__ import annotations

import datetime as dt
import sys
from typing import Any

import pytest
from django.core.checks import Tags, run_checks

from config import checks
from participants.models import Trial
from tests import factories


def ids(messages: list[Any]) -> list[str]:
    return [message.id for message in messages]


@pytest.fixture(autouse=True)
def _nothing_set(settings: Any) -> None:
    settings.LEGACY_ACCESS_TOKEN_SET = False
    settings.CLIENT_ID = settings.CLIENT_SECRET = ""
    settings.SYNTHETIC = False


def test_plain_settings_raise_nothing() -> None:
    assert checks.vendor_credentials(None) + checks.synthetic_devices(None) + checks.synthetic_in_deployment(None) == []


def test_a_left_over_access_token_is_said_to_be_ignored(settings: Any) -> None:
    settings.LEGACY_ACCESS_TOKEN_SET = True
    (message,) = checks.vendor_credentials(None)
    assert (message.id, "ignored" in message.msg, "own consent" in str(message.hint)) == ("config.W001", True, True)


@pytest.mark.parametrize(("present", "missing"), [("CLIENT_ID", "CLIENT_SECRET"), ("CLIENT_SECRET", "CLIENT_ID")])
def test_half_a_pair_of_credentials_is_an_error(settings: Any, present: str, missing: str) -> None:
    setattr(settings, present, "abc")
    (message,) = checks.vendor_credentials(None)
    assert message.id == "config.E001"
    assert message.msg.startswith(f"{present} is set without {missing}")


def test_a_whole_pair_of_credentials_is_fine(settings: Any) -> None:
    settings.CLIENT_ID, settings.CLIENT_SECRET = "abc", "def"
    assert checks.vendor_credentials(None) == []


def test_synthetic_devices_without_their_library_are_a_warning(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.SYNTHETIC = True
    monkeypatch.setitem(sys.modules, "wearipedia", None)
    assert ids(checks.synthetic_devices(None)) == ["config.W002"]


def test_synthetic_devices_in_a_deployment_are_a_warning(settings: Any) -> None:
    settings.SYNTHETIC = True
    assert ids(checks.synthetic_in_deployment(None)) == ["config.W003"]


@pytest.mark.django_db
def test_a_real_trial_without_a_mail_server_is_said(settings: Any) -> None:
    settings.EMAIL_HOST = ""
    trial = factories.TrialFactory.create(is_demo=True)
    assert not checks.mail_server(None, databases=["default"])
    Trial.objects.filter(pk=trial.pk).update(is_demo=False)
    assert [found.id for found in checks.mail_server(None, databases=["default"])] == ["config.W004"]
    settings.EMAIL_HOST = "smtp.example.org"
    assert not checks.mail_server(None, databases=["default"])


@pytest.mark.parametrize("hour", range(24))
def test_an_hour_that_strikes_is_not_taken_for_a_default_that_reads_the_clock(hour: int, time_machine: Any) -> None:
    time_machine.move_to(dt.datetime(2026, 11, 30, hour, tzinfo=dt.UTC), tick=False)
    assert [message for message in run_checks(tags=[Tags.models]) if not message.is_silenced()] == []
