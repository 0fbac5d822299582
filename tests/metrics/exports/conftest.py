"""Exports go into a folder of the test's own; the engine reads by a connection of its own, so rows are committed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from metrics.storage.timescale import after_migrate
from participants.models import Trial, User
from tests import factories
from tests.metrics.exports import scene


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, settings: Settings) -> None:
    settings.EXPORT_FOLDER = tmp_path / "exports"


@pytest.fixture
def trial(transactional_db: None) -> Iterator[Trial]:
    """STRIDE-2 with AX-1 (arm A, one site) and AX-2 (no site); both have data."""
    after_migrate()  # committed tests empty the metric table
    made: Trial = factories.TrialFactory.create(code="STRIDE-2")
    site = factories.SiteFactory.create(trial=made, code="LEI", name="Leiden")
    scene.fill(scene.person(made, "AX-1", arm="=A", site=site), 1)
    scene.fill(scene.person(made, "AX-2"), 2)
    yield made
    after_migrate()


@pytest.fixture
def manager(trial: Trial) -> User:
    return scene.manager_of(trial)
