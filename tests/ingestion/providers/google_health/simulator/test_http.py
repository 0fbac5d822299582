"""What only a real connection shows: compression, broken bodies, quotas, the faults, the command."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from ingestion.providers.google_health.simulator.faults import Faults
from tests.ingestion.providers.google_health.simulator.conftest import Google, MakeGoogle, reason, span
from tests.paths import ROOT

HOUR = span("heart_rate.sample_time.physical_time", "2026-11-20T17:00:00Z", "2026-11-20T18:00:00Z")
DAY = span("heart_rate.sample_time.physical_time", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z")
HEART = "/v4/users/me/dataTypes/heart-rate/dataPoints"


def ask(google: Google, address: str, **headers: str) -> httpx.Response:
    token = google.tokens()["access_token"]
    sent = {"Authorization": f"Bearer {token}", "Accept-Encoding": "identity", **headers}
    return httpx.get(address + HEART, params={"filter": HOUR}, headers=sent, timeout=10)


def test_gzip_only_for_who_takes_it(google: Google, address: str) -> None:
    plain, packed = ask(google, address), ask(google, address, **{"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert plain.json() == packed.json()


def test_a_cut_body_breaks_the_connection(google: Google, address: str) -> None:
    google.faulty(truncated=1.0)
    with pytest.raises(httpx.RemoteProtocolError):
        ask(google, address)


def test_statistics_count_points_and_bytes(google: Google, address: str) -> None:
    body = ask(google, address)
    said = google.control("stats")
    assert said["points"] == len(body.json()["dataPoints"])
    assert said["bytes_sent"] == len(body.content)


def test_connections_are_kept_open(google: Google, address: str) -> None:
    with httpx.Client(base_url=address) as client:
        mine = [client.get("/_sim/clock").extensions["network_stream"].get_extra_info("client_addr") for _ in range(2)]
    assert mine[0] == mine[1]


def test_the_users_quota_ends_in_429_with_a_time_to_wait(make_google: MakeGoogle) -> None:
    google = make_google(user_limit=3)
    token = google.tokens()["access_token"]
    answers = [google.ask("identity", token=token) for _ in range(8)]
    refused = next(one for one in answers if one.status == 429)
    assert reason(refused) == "RATE_LIMIT_EXCEEDED"
    assert 0 < int(refused.headers["Retry-After"]) <= 60


def test_busy_comes_with_and_without_a_time(google: Google) -> None:
    google.faulty(busy=1.0, busy_told=0.5)
    refused = [google.ask("identity") for _ in range(20)]
    assert {one.status for one in refused} == {429}
    assert {"Retry-After" in one.headers for one in refused} == {True, False}


def test_only_wide_windows_break_the_server(google: Google) -> None:
    google.faulty(wide=1.0)
    assert google.ask("dataTypes/heart-rate/dataPoints", filter=HOUR).status == 200
    assert google.ask("dataTypes/heart-rate/dataPoints", filter=DAY).status == 500


def test_an_error_may_hide_behind_success(google: Google) -> None:
    google.faulty(error_in_200=1.0)
    response = google.ask("dataTypes/heart-rate/dataPoints", filter=HOUR)
    assert response.status == 200
    assert json.loads(response.body)["error"]["status"] == "UNAVAILABLE"


def test_a_denied_account_still_refreshes(google: Google) -> None:
    google.control("deny", {"user": "4"})
    assert reason(google.ask("identity")) == "RESOURCE_PERMISSION_DENIED"


def test_faults_are_drawn_from_the_seed() -> None:
    def drawn(seed: int) -> list[bool]:
        faults = Faults("storm", seed)
        return [faults.strikes("busy") for _ in range(200)]

    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)


def test_the_profile_can_be_changed_on_the_way(google: Google) -> None:
    google.control("faults", {"profile": "storm"})
    assert google.control("stats")["faults"]["profile"] == "storm"


@contextlib.contextmanager
def command(*arguments: str):  # type: ignore[no-untyped-def]
    # A database that does not exist: the simulator has to do without.
    environment = {**os.environ, "SECRET_KEY": "x", "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    process = subprocess.Popen(
        [sys.executable, "manage.py", "simulate_google", *arguments],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_command_serves_and_stops_cleanly_without_a_database() -> None:
    with command("--port", "0", "--participants", "3") as process:
        line = process.stdout.readline()
        address = next(word for word in line.split() if word.startswith("http")).rstrip(":")
        assert httpx.get(f"{address}/_sim/accounts").json()["accounts"][2]["email"] == "sim0003@example.com"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "Stopped.\n", "")


def test_a_taken_port_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with command("--port", str(port)) as process:
            _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err == f"CommandError: Port {port} is taken. Choose another: --port {port + 1}\n"
