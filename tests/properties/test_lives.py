"""Lives of a participant on the real database, with real transactions. `make properties` tries many more of them."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from pytest_django import Settings

from tests.conftest import SetUpProviders
from tests.ingestion.sync.fake import FakeVendor
from tests.properties.faults import FAULTS
from tests.properties.machine import Lives

# As many lives in the gate, on each kind of server, always the same ones; `make properties` tries 500 new ones.
IN_THE_GATE = 25
EXAMPLES = int(os.environ.get("PROPERTY_EXAMPLES", str(IN_THE_GATE)))
STEPS = 20


@pytest.fixture
def vendor(
    set_up_providers: SetUpProviders, monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path
) -> FakeVendor:
    made = FakeVendor()
    settings.TOKEN_KEYS = ["a-key-for-tests-that-is-long-enough"]
    settings.ERASURE_JOURNAL = str(tmp_path / "erasures.jsonl")
    settings.EXPORT_FOLDER = tmp_path / "exports"
    set_up_providers(made)
    monkeypatch.setattr(logging.getLogger("django.request"), "disabled", True)  # 404 is what is expected
    monkeypatch.setattr(Lives, "vendor", made, raising=False)
    monkeypatch.setattr(Lives, "lived", 0)
    return made


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("vendor")
def test_what_must_hold_does_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    many = EXAMPLES > IN_THE_GATE
    name = os.environ.get("PROPERTY_FAULT", "")
    tried = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=not many,
        print_blob=many,
        phases=[Phase.generate, Phase.shrink] if many and not name else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    if not name:
        run_state_machine_as_test(Lives, settings=tried)
        return
    FAULTS[name](monkeypatch)
    with pytest.raises(BaseException) as found:  # noqa: PT011  whatever an invariant or the product itself raises
        run_state_machine_as_test(Lives, settings=tried)
    sys.stderr.write(f"\n{name}: found after {Lives.lived} lives by {type(found.value).__name__}\n")
