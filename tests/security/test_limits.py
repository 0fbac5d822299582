"""Limits of pages without a login: for each address and code, over all processes, and without Redis."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import time_machine
from django.core.cache import caches
from django.test import Client, RequestFactory

from config.cache import SharedCache
from config.embedded import redis_server
from config.middleware import limits
from config.middleware.limits import Rate, client_address
from dashboards.messaging import unsubscribe
from tests.factories import ParticipantFactory

UNKNOWN = "/connect/no-such-code/"
NOTICE = "/webhooks/nobody/"


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Three of everything, two refusals; all within one minute."""
    for name in limits.RATES:
        monkeypatch.setitem(limits.RATES, name, Rate(address=3, refused=2, code=3))
    with time_machine.travel("2026-11-23T08:12:10Z", tick=False):
        yield


def statuses(client: Client, path: str, times: int, **extra: Any) -> list[int]:
    return [client.get(path, **extra).status_code for _ in range(times)]


# --- whose request it is ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("remote", "forwarded", "proxy", "found"),
    [
        ("192.0.2.7", "", False, "192.0.2.7"),
        ("192.0.2.7", "203.0.113.9", False, "192.0.2.7"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.9", True, "203.0.113.9"),
        ("10.0.0.1", "", True, "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "", False, "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "", False, "192.0.2.7"),
        ("", "", False, "unknown"),
        ("10.0.0.1", "nonsense\x00", True, "unknown"),
    ],
)
def test_an_address_is_what_our_own_side_saw(
    remote: str, forwarded: str, proxy: bool, found: str, settings: Any
) -> None:
    settings.BEHIND_PROXY = proxy
    request = RequestFactory().get("/", REMOTE_ADDR=remote, HTTP_X_FORWARDED_FOR=forwarded)
    assert client_address(request) == found


# --- how often ----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_who_tries_codes_is_held_up_and_told_when_to_come_again(client: Client, few: None) -> None:
    assert statuses(client, UNKNOWN, 2) == [404, 404]
    held = client.get("/connect/another-code/")
    assert (held.status_code, held.headers["Retry-After"]) == (429, "50")
    assert "Please wait a moment" in held.content.decode()
    assert client.get("/connect/another-code/", REMOTE_ADDR="192.0.2.7").status_code == 404


@pytest.mark.django_db
def test_a_minute_later_one_may_again(client: Client, few: None) -> None:
    statuses(client, UNKNOWN, 3)
    with time_machine.travel("2026-11-23T08:13:00Z", tick=False):
        assert client.get(UNKNOWN).status_code == 404


@pytest.mark.django_db
def test_one_code_is_limited_over_all_addresses(client: Client, few: None) -> None:
    path = f"/opt-out/{unsubscribe.code_of(ParticipantFactory.create())}/"
    answers = [client.get(path, REMOTE_ADDR=f"192.0.2.{n}").status_code for n in range(5)]
    assert answers == [200, 200, 200, 429, 429]


@pytest.mark.django_db
def test_another_code_from_another_address_is_not_held_up(client: Client, few: None) -> None:
    paths = [f"/opt-out/{unsubscribe.code_of(ParticipantFactory.create())}/" for _ in range(2)]
    assert statuses(client, paths[0], 4)[-1] == 429
    assert client.get(paths[1], REMOTE_ADDR="192.0.2.7").status_code == 200


@pytest.mark.django_db
def test_who_sends_notices_that_are_none_is_held_up(client: Client, few: None) -> None:
    answers = [client.post(NOTICE, b"{}", content_type="application/json") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [404, 404, 429]
    assert answers[2].headers["Content-Type"] == "application/problem+json"
    assert answers[2].headers["Retry-After"] == "50"


@pytest.mark.django_db
def test_pages_behind_a_login_are_not_counted(client: Client, few: None) -> None:
    assert statuses(client, "/nowhere/", 10) == [404] * 10


# --- without Redis, and with one ----------------------------------------------------------------------------------


@pytest.fixture
def away(settings: Any) -> SharedCache:
    return SharedCache(["redis://127.0.0.1:1/0"], {})


def test_without_redis_the_cache_holds_nothing_and_says_so_once(
    away: SharedCache, caplog: pytest.LogCaptureFixture
) -> None:
    assert away.get("a", "nothing") == "nothing"
    assert away.add("a", 1) is True
    assert away.get_many(["a"]) == {}
    with pytest.raises(ValueError, match="no such counter"):
        away.incr("a")
    away.set("a", 1)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "127.0.0.1" not in caplog.text


@pytest.mark.django_db
def test_without_redis_nobody_is_held_up(client: Client, few: None, settings: Any) -> None:
    settings.CACHES = {
        **settings.CACHES,
        "shared": {"BACKEND": "config.cache.SharedCache", "LOCATION": "redis://127.0.0.1:1/0"},
    }
    assert statuses(client, UNKNOWN, 6) == [404] * 6


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Redis of our own."""
    try:
        program = redis_server.program()
    except redis_server.RedisFault as fault:
        pytest.skip(str(fault))
    port = redis_server.free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    folder: Path = tmp_path_factory.mktemp("redis")
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    address = f"redis://127.0.0.1:{port}/0"
    with redis.Redis.from_url(address) as client:
        for _ in range(200):
            try:
                client.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.05)
    yield address
    process.terminate()
    process.wait(10)


def test_the_shared_cache_keeps_plain_values_and_counts(server: str) -> None:
    one, other = SharedCache([server], {}), SharedCache([server], {})
    for value in ("text", b"bytes", 12, -1, 1.5, True, None, [1.5, 2.5], {"a": [1]}):
        one.set("value", value, 60)
        assert other.get("value") == value
    assert one.add("count", 0, 60)
    assert not other.add("count", 0, 60)
    assert [one.incr("count"), other.incr("count"), one.get("count")] == [1, 2, 2]
    with pytest.raises(TypeError):
        one.set("value", object(), 60)


@pytest.mark.django_db
def test_limits_hold_over_all_processes(client: Client, few: None, settings: Any, server: str) -> None:
    settings.CACHES = {**settings.CACHES, "shared": {"BACKEND": "config.cache.SharedCache", "LOCATION": server}}
    caches["shared"].clear()
    assert statuses(client, UNKNOWN, 3) == [404, 404, 429]


# --- how much -----------------------------------------------------------------------------------------------------


def test_a_body_over_the_limit_is_refused_before_it_is_read(client: Client, settings: Any) -> None:
    settings.MOST_BODY_BYTES = 100
    answer = client.post("/login/", b"x" * 101, content_type="text/plain")
    assert answer.status_code == 413
    assert "Too much at once" in answer.content.decode()
    assert client.post("/api/v1/trials", b"x" * 101, content_type="text/plain").json()["status"] == 413


@pytest.mark.parametrize("length", ["abc", "-1", "1e3", "١٢", "9" * 5000])
def test_a_length_that_is_none_is_refused(client: Client, length: str) -> None:
    assert client.post("/login/", b"", content_type="text/plain", CONTENT_LENGTH=length).status_code in (400, 413)
