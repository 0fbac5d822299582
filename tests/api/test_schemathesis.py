"""Invented requests to every operation of the contract, right and wrong, with a token and without.

No answer may be a 5xx, have a status, a content type, a header or a shape that the document does not name, and none
may accept what the document forbids. `make fuzz-api` asks more: FUZZ=1000 requests for each operation.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from config.api import docs
from participants.models import Membership, Trial
from tests import factories
from tests.api.conftest import token_key
from tests.api.scene import KNOWN, scene

FUZZ = int(os.environ.get("FUZZ", "0"))
ORDINARY = 25
OPERATIONS = sorted(
    f"{method.upper()} {path}"
    for path, item in docs.document()["paths"].items()
    for method in item
    if method in ("get", "post", "put", "patch", "delete")
)
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]


@pytest.fixture(scope="module")
def contract() -> Iterator[Any]:
    """The document, with the real application behind it. Its requests share the test's transaction."""
    document = copy.deepcopy(docs.document())
    for item in document["paths"].values():
        for operation in item.values():
            operation.pop("security")  # who asks is the test's to say
    read = schemathesis.openapi.from_dict(document)
    read.app = get_wsgi_application()
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield read
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def keys(db: None, settings: Any) -> dict[str, str | None]:
    """Who asks: a manager's token that may write, a viewer's that may read, nobody."""
    settings.API_RATE = "1000000/minute"
    trial: Trial = scene()
    manager = factories.MembershipFactory.create(trial=trial, role=Membership.Role.MANAGER).user
    viewer = factories.MembershipFactory.create(trial=trial, role=Membership.Role.VIEWER).user
    return {
        "a manager's writing token": token_key(manager, can_write=True),
        "a viewer's reading token": token_key(viewer),
        "nobody": None,
    }


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("who", ["a manager's writing token", "a viewer's reading token", "nobody"])
def test_answers_keep_to_the_contract(contract: Any, keys: dict[str, str | None], who: str, name: str) -> None:
    method, path = name.split(" ", 1)
    operation = contract[path][method]
    key = keys[who]
    headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {key}"} if key else {})
    cases = st.one_of(
        operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
        operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
    )

    @settings(
        max_examples=FUZZ or (ORDINARY if key else 2),
        deadline=None,
        database=None,
        derandomize=not FUZZ,
        phases=[Phase.explicit, Phase.generate] + ([Phase.shrink] if FUZZ else []),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, known=st.integers(0, 3))
    def ask(case: Any, known: int) -> None:
        wanted = CHECKS
        if known:  # three times in four of something that exists
            for parameter in case.path_parameters or {}:
                if parameter in ("id", "pk", "version", "provider"):
                    # What was wrong with the case may have been just this.
                    wanted = [check for check in CHECKS if check is not checks.negative_data_rejection]
                if parameter in KNOWN:
                    case.path_parameters[parameter] = KNOWN[parameter]
        # An empty one would be another address, with a contract of its own.
        assume(all(str(value) for value in (case.path_parameters or {}).values()))
        with transaction.atomic():
            response = case.call(headers=headers)
            transaction.set_rollback(True)
        if response.status_code == 412:
            # A precondition is looked at before the body; the library does not know that it refuses too.
            wanted = [check for check in wanted if check is not checks.negative_data_rejection]
        case.validate_response(response, checks=wanted, headers=headers)
        if not key:
            assert response.status_code in (401, 404, 405), response.status_code

    ask()
