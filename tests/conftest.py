"""Shared by all tests. The database is a real PostgreSQL, plain or with TimescaleDB: see `make test`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any, cast

import pytest
from django.conf import settings
from django.core.cache import caches
from django.test import override_settings

from config.middleware.limits import SHARED
from tests import broker
from tests.any_server import suffices

SetUpProviders = Callable[..., None]

# A busy machine is no fault of a property. The environment of the synthetic devices has no properties.
if find_spec("hypothesis"):
    import hypothesis

    hypothesis.settings.register_profile("busy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
    hypothesis.settings.load_profile("busy")

# Modules that start something costly for all of their tests: one process runs the whole of each.
TOGETHER = frozenset(
    {
        "tests/browser/test_invitation.py",
        "tests/config/embedded/test_supervisor.py",
        "tests/security/test_server.py",
        "tests/ingestion/demo/test_demo_live.py",
    }
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--second-server",
        action="store_true",
        help="on another kind of database server, after a whole run: without what tests/any_server.py lists",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--second-server"):
        return
    left_out = [item for item in items if suffices(item.nodeid)]
    items[:] = [item for item in items if not suffices(item.nodeid)]
    config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests are handed out one by one, and those of such a module as one.

    The library's own groups do not hold with this pytest: it names tests in a way that they do not know.
    """
    from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

    class Sharing(LoadScopeScheduling):  # type: ignore[misc]  # its package has no types
        def _split_scope(self, nodeid: str) -> str:
            module = nodeid.partition("::")[0]
            return module if module in TOGETHER else nodeid

    return Sharing(config, log)


@pytest.fixture(scope="session", autouse=True)
def _settings_of_tests() -> Iterator[None]:
    """For the whole session, so that they hold before a live server starts."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    broker.connect(broker.IN_MEMORY)
    with override_settings(
        # Static files by their own names: the hashed ones exist only after collectstatic.
        STORAGES={**settings.STORAGES, "staticfiles": plain},
        # WhiteNoise would warn of the missing folder; with this it looks files up where they are.
        WHITENOISE_AUTOREFRESH=True,
        WHITENOISE_USE_FINDERS=True,
        # No Redis, whatever runs on this machine: tests that are about one start it.
        REDIS_URL=broker.NOBODY,
        CACHES={**settings.CACHES, "shared": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        # Evaluated after each payload, so that a test sees what follows from it.
        EVALUATION_BATCH=1,
        # Each test's chain is its own, and rolled back: tests that are about the head outside name a file.
        AUDIT_HEAD="",
        # A hash that costs nothing: each test makes its own users.
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        # Tests sign in by force and travel in time; what they are about is tested in tests/participants/accounts.
        SECOND_FACTOR="optional",
        SESSION_IDLE_MINUTES=10**7,
        SESSION_HOURS=10**6,
    ):
        yield


@pytest.fixture(autouse=True)
def _nothing_left_over() -> None:
    """Requests of the test before do not count against limits of this one, and its messages do not wait."""
    caches[SHARED].clear()
    broker.clear()


@pytest.fixture
def broker_away() -> Iterator[None]:
    """Nothing takes messages: sending one fails."""
    with broker.away():
        yield


@pytest.fixture
def set_up_providers(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[SetUpProviders]:
    """Function that sets up live providers as an installation does, these and no others, in place of any before."""
    from ingestion import live_providers
    from ingestion.providers import registry

    def set_up(*providers: Any) -> None:
        known = cast(dict[str, Callable[..., Any]], registry.LIVE_PROVIDERS)
        for provider in providers:
            monkeypatch.setitem(known, provider.slug, lambda *_, provider=provider: provider)
        settings.LIVE_PROVIDERS = {provider.slug: {} for provider in providers}
        live_providers.provider.cache_clear()

    yield set_up
    live_providers.provider.cache_clear()


@pytest.fixture
def tasks_run_at_once() -> Iterator[None]:
    """What is sent to Celery is run by the sender, as if a worker had taken it at once."""
    with broker.tasks_run_at_once():
        yield
