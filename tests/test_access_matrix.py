"""Every address x every method x everybody: only what is meant. A new address fails until it is listed.

Generated from the URL configuration and from the API's document. Where to list: tests/access/expected.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings

from tests import database
from tests.access import addresses, people, rules
from tests.access.expected import expectation, known_routes
from tests.access.people import EVERYBODY, Knock, everybody

ROUTES = addresses.routes()


@pytest.fixture(scope="module")
def db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """One transaction for all tests here, undone at the end. By the name by which pytest-django sees who needs one."""
    with database.one_transaction(django_db_blocker):
        yield


@pytest.fixture(scope="module")
def knock(db: None) -> Iterator[Knock]:
    """Everybody, made once. Each request is undone."""
    with override_settings(API_RATE="1000000/minute", TOKEN_KEYS=["a-key-for-the-tests"]):
        yield everybody()


def knocking(route: str, *, listed: bool) -> tuple[str, ...]:
    """Who tries: everybody; those with the most rights where a method is not meant for anybody at all.

    The administration knows staff alone and no role in a trial: one of each kind is enough for its many addresses.
    """
    if route.startswith("admin/"):
        return (people.ANONYMOUS, people.MANAGER, people.STAFF, people.SUPERUSER, people.WRITING)
    return EVERYBODY if listed else (people.ANONYMOUS, people.MANAGER, people.SUPERUSER, people.WRITING)


@pytest.mark.parametrize("route", ROUTES)
def test_only_what_is_meant(knock: Knock, route: str) -> None:
    methods = expectation(route)
    if methods is None:
        pytest.fail(f"Nobody has said who may open {route!r}: list it in tests/access/expected.py.")
    address = addresses.address(route)
    wrong = []
    # The administration answers other methods as it answers GET.
    for method in ("GET", "POST") if route.startswith("admin/") else addresses.METHODS:
        for person in knocking(route, listed=method in methods):
            with transaction.atomic():
                answer = knock(person, method, address)
                transaction.set_rollback(True)
            found = rules.outcome(answer)
            if method in methods:
                rule = methods[method]
                if not rule.accepts(person, found):
                    wrong.append(
                        f"{method} by {person}: {found} ({answer.status_code}), meant is {rule.expected(person)}"
                    )
            elif found not in rules.REFUSED:
                wrong.append(f"{method} by {person}: {found} ({answer.status_code}), which nobody has meant")
    assert not wrong, f"{address}\n" + "\n".join(wrong)


def test_nothing_is_listed_that_is_gone() -> None:
    assert sorted(known_routes() - set(ROUTES)) == []


def test_the_api_has_no_address_beside_its_document() -> None:
    served = {route for route in ROUTES if route.startswith(("api/v", "data/"))}
    assert served == {route for _, route in addresses.operations()}


def test_each_operation_of_the_document_is_listed() -> None:
    missing = [
        f"{method} {route}"
        for method, route in sorted(addresses.operations())
        if method not in (expectation(route) or {})
    ]
    assert not missing, "List in tests/access/expected.py:\n" + "\n".join(missing)
