"""Who is let in with a token, and how far."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone

from participants.models import ApiToken, AuditEntry, Participant, Trial, User
from participants.services.api_tokens import token_create, token_revoke
from tests.api.conftest import Bring
from tests.factories import MembershipFactory, ParticipantFactory

pytestmark = pytest.mark.django_db
TRIALS = "/api/v1/trials"


def codes(client: Client) -> list[str]:
    answer = client.get(TRIALS)
    assert answer.status_code == 200, answer.content
    return [trial["code"] for trial in answer.json()["results"]]


def test_a_token_sees_what_its_user_sees(reader: Client, trial: Trial) -> None:
    MembershipFactory.create()
    assert codes(reader) == [trial.code]


def test_a_token_of_one_trial_sees_no_other_of_its_users(manager: User, trial: Trial, bring: Bring) -> None:
    other = MembershipFactory.create(user=manager).trial
    assert set(codes(bring(manager))) == {trial.code, other.code}
    assert codes(bring(manager, trials=[other])) == [other.code]


def test_nobody_without_a_token_or_session(client: Client) -> None:
    answer = client.get(TRIALS)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("key", ["", "wt", "wt_", "wt_x_y", "x" * 5000, "wt_\x00_a", "é"])
def test_a_token_that_is_none_is_refused(client: Client, key: str) -> None:
    assert client.get(TRIALS, headers={"Authorization": f"Bearer {key}"}).status_code == 401


def test_a_revoked_token_is_refused(reader: Client) -> None:
    token_revoke(ApiToken.objects.get())
    assert reader.get(TRIALS).status_code == 401


def test_an_expired_token_is_refused(reader: Client) -> None:
    ApiToken.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=1))
    assert reader.get(TRIALS).status_code == 401


def test_a_token_of_a_user_who_left_is_refused(reader: Client, manager: User) -> None:
    User.objects.filter(pk=manager.pk).update(is_active=False)
    assert reader.get(TRIALS).status_code == 401


def test_a_token_loses_what_its_user_loses(reader: Client, manager: User) -> None:
    manager.memberships.update(ended_at=timezone.now())
    assert codes(reader) == []


def test_only_a_digest_is_stored(manager: User) -> None:
    token, key = token_create(user=manager, name="x", expires_at=timezone.now() + dt.timedelta(days=1))
    secret = key.rpartition("_")[2]
    assert all(secret not in str(value) for value in vars(token).values())


def test_its_last_use_is_known(reader: Client) -> None:
    reader.get(TRIALS)
    used = ApiToken.objects.get().last_used_at
    assert used
    assert timezone.now() - used < dt.timedelta(minutes=1)


def test_a_token_cannot_open_more_than_its_user_sees(manager: User) -> None:
    stranger = MembershipFactory.create().trial
    with pytest.raises(ValidationError, match="Only trials that its user sees"):
        token_create(user=manager, name="x", expires_at=timezone.now() + dt.timedelta(days=1), trials=[stranger])


def test_a_read_only_token_manages_nobody(manager: User, trial: Trial) -> None:
    ParticipantFactory.create(trial=trial)
    assert Participant.objects.managed_by(manager).count() == 1
    manager.read_only = True
    assert Participant.objects.managed_by(manager).count() == 0


def test_making_and_revoking_is_recorded(reader: Client) -> None:
    token_revoke(ApiToken.objects.get())
    assert list(AuditEntry.objects.order_by("pk").values_list("action", flat=True)) == ["token.create", "token.revoke"]


def test_too_many_requests_are_told_when_to_come_back(reader: Client, settings: Any) -> None:
    settings.API_RATE = "2/minute"
    assert reader.get(TRIALS).headers["RateLimit-Remaining"] == "1"
    reader.get(TRIALS)
    answer = reader.get(TRIALS)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 61
    assert answer.headers["RateLimit-Limit"] == "2"


def test_what_is_known_is_not_sent_again(reader: Client, trial: Trial) -> None:
    first = reader.get(f"{TRIALS}/{trial.code}")
    again = reader.get(f"{TRIALS}/{trial.code}", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_an_unknown_parameter_is_named(reader: Client) -> None:
    answer = reader.get(TRIALS + "?colour=red&status=lost")
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"colour", "status"}


def test_an_address_that_does_not_exist_is_a_problem(client: Client) -> None:
    answer = client.get("/api/v1/nothing")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
