"""What begins after a transaction and fails, a broker that is away for one, undoes and disturbs nothing."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from participants.after_commit import after_commit

pytestmark = pytest.mark.django_db


def fail(what: str, code: int = 1) -> None:
    raise OSError(f"{what} is away: {code}")


@pytest.mark.parametrize("work", [fail, partial(fail, code=2)])
def test_a_failure_is_logged_and_the_rest_goes_on(
    work: Any, django_capture_on_commit_callbacks: Any, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []
    with django_capture_on_commit_callbacks(execute=True):
        after_commit(work, "the broker")
        after_commit(done.append, "the next")
    assert done == ["the next"]
    assert "the broker is away" in caplog.text
