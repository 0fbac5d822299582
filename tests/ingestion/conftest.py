"""What the tests of imports share: the command as an operator runs it, and the real files."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from metrics.batch import Times, Values, microseconds
from metrics.models import Measurement
from participants.models import Participant, Trial
from tests.factories import ParticipantFactory, TrialFactory


@dataclass
class Outcome:
    """What an operator sees: the output, and the one line of the failure, if any."""

    text: str
    failure: str


Import = Callable[..., Outcome]


@pytest.fixture
def trial(db: None) -> Trial:
    return TrialFactory(code="WALK", time_zone="Europe/Amsterdam")


@pytest.fixture
def import_data() -> Import:
    def run(trial: Trial | str, *paths: Path | str, **options: Any) -> Outcome:
        out, failure = io.StringIO(), ""
        code = trial if isinstance(trial, str) else trial.code
        try:
            call_command("import_data", code, *map(str, paths), stdout=out, stderr=out, verbosity=0, **options)
        except CommandError as error:
            failure = str(error)
        return Outcome(out.getvalue(), failure)

    return run


@pytest.fixture
def owner(trial: Trial) -> Participant:
    return ParticipantFactory(trial=trial, study_id="P-1", time_zone="Europe/Amsterdam")


class Export:
    """Writes files of an export and imports them for P-1."""

    def __init__(self, trial: Trial, folder: Path, import_data: Import) -> None:
        self.trial, self.folder, self._import = trial, folder, import_data

    def file(self, name: str, content: Any) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    def take(self, name: str, content: Any, **options: Any) -> Outcome:
        return self._import(self.trial, self.file(name, content), **{"participant": "P-1", **options})


@pytest.fixture
def export(owner: Participant, tmp_path: Path, import_data: Import) -> Export:
    return Export(owner.trial, tmp_path, import_data)


@pytest.fixture(scope="session")
def fitabase() -> Path:
    """Real exports of four people. They are not part of the project; where they are missing, their tests skip."""
    folder = Path(settings.BASE_DIR).parent / "shared" / "data" / "fitabase"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}")
    return folder


def stored(study_id: str, metric: str) -> tuple[Times, Values]:
    """All samples of a participant's metric: microseconds UTC, ascending, and values."""
    rows = list(
        Measurement.objects.filter(participant__study_id=study_id, metric__code=metric)
        .order_by("time")
        .values_list("time", "value")
    )
    return np.array([microseconds(time) for time, _ in rows], np.int64), np.array([value for _, value in rows])


def utc(study_id: str, metric: str) -> list[tuple[str, float]]:
    """The same as (ISO time without seconds' zone, value), to compare by eye."""
    times, values = stored(study_id, metric)
    return [(str(np.datetime64(int(time), "us"))[:19], float(value)) for time, value in zip(times, values, strict=True)]
