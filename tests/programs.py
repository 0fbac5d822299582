"""Service accounts, also as an attack or an older version left them: members of a trial that is not theirs."""

from __future__ import annotations

from django.db import connection

from participants.accounts.service_accounts import service_account_create
from participants.models import Membership, Trial, User


def program(trial: Trial, *, name: str = "nightly", role: str = Membership.Role.COORDINATOR) -> User:
    """A service account of a trial."""
    return service_account_create(trial=trial, name=name, role=role).user


def brought_into(user: User, trial: Trial, *, role: str = Membership.Role.COORDINATOR) -> Membership:
    """A membership that every rule refuses, past the database's guard."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        membership = Membership.objects.create(user=user, trial=trial, role=role)
        cursor.execute("SET session_replication_role = origin")
    return membership
