"""The operator's commands: what they do, print and end with."""

from __future__ import annotations

import base64
import datetime as dt
import json
import threading
from collections.abc import Callable, Iterator
from io import StringIO

import httpx
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from django.core.cache.backends.locmem import LocMemCache
from django.core.management import CommandError, call_command
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from ingestion import live_providers
from ingestion.connections import services as connections_services
from ingestion.management.commands.google_webhooks import signed_claim
from ingestion.models import Connection, SyncWindow
from ingestion.providers.base.errors import BrokenResponse
from ingestion.providers.base.live import Grant
from ingestion.providers.google_health.setup import build
from ingestion.providers.google_health.simulator.server import Options, Server, Simulator
from metrics.models import Measurement
from tests.conftest import SetUpProviders
from tests.factories import ParticipantFactory, TrialFactory
from tests.ingestion.sync.fake import FakeVendor

MakeWindow = Callable[..., SyncWindow]
GOOD = {
    "CLIENT_ID": "1234567890-abc123.apps.googleusercontent.com",
    "CLIENT_SECRET": "GOCSPX-0123456789abcdef01234",
    "TOKEN_KEYS": ["k" * 40],
    "PUBLIC_URL": "https://trials.example.org",
    "WEBHOOK_SECRET": "Bearer " + "s" * 40,
    "GOOGLE_SIMULATOR_URL": "",
}


def told(name: str, *arguments: str) -> str:
    out = StringIO()
    call_command(name, *arguments, stdout=out)
    return out.getvalue()


def refused(name: str, *arguments: str) -> str:
    out = StringIO()
    with pytest.raises(CommandError):
        call_command(name, *arguments, stdout=out)
    return out.getvalue()


# --- check_google ------------------------------------------------------------------------------------------------


@pytest.fixture
def good(settings: Settings) -> Settings:
    for name, value in GOOD.items():
        setattr(settings, name, value)
    return settings


def test_a_good_set_up_is_said_to_be_good(good: Settings) -> None:
    said = told("check_google", "--offline")
    assert "https://trials.example.org/connect/callback/google_health/" in said
    assert "WRONG" not in said


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("CLIENT_ID", "", "CLIENT_ID is not set"),
        ("CLIENT_ID", "my-client", "does not look like one"),
        ("CLIENT_SECRET", " GOCSPX-0123456789abcdef ", "copy it anew"),
        ("TOKEN_KEYS", [], "TOKEN_KEYS is not set"),
        ("TOKEN_KEYS", ["short"], "shorter than 32"),
        ("PUBLIC_URL", "http://trials.example.org", "must begin with https"),
        ("PUBLIC_URL", "https://192.0.2.7", "raw IP address"),
        ("PUBLIC_URL", "https://trials.example.org/sub", "scheme and host alone"),
        ("PUBLIC_URL", "https://intranet", "public name"),
        ("WEBHOOK_SECRET", "short", "can be guessed"),
    ],
)
def test_what_is_wrong_is_named(good: Settings, name: str, value: object, words: str) -> None:
    setattr(good, name, value)
    said = refused("check_google", "--offline")
    assert words in "".join(line for line in said.splitlines() if line.startswith("WRONG"))


# --- sync --------------------------------------------------------------------------------------------------------


def test_sync_reads_what_is_due_and_says_so(
    connection: Connection, vendor: FakeVendor, now: dt.datetime, settings: Settings
) -> None:
    settings.LIVE_PROVIDERS = {"fake": {}}
    vendor.points["pulse"][now - dt.timedelta(hours=3)] = 61.0
    said = told("sync")
    assert ["new", "1"] in [line.split() for line in said.splitlines()]
    assert set(SyncWindow.objects.values_list("state", flat=True)) == {"done"}


def test_sync_ends_with_an_error_where_windows_failed(
    connection: Connection, vendor: FakeVendor, window: MakeWindow, settings: Settings
) -> None:
    settings.LIVE_PROVIDERS, settings.SYNC_ATTEMPTS = {"fake": {}}, 1
    vendor.script.extend([None, BrokenResponse("truncated")])
    assert "failed with truncated: 1" in refused("sync")


def test_sync_says_when_nobody_matches(db: None, settings: Settings) -> None:
    settings.LIVE_PROVIDERS = {"fake": {}}
    with pytest.raises(CommandError, match="Nobody who matches"):
        call_command("sync")


# --- against the simulator ---------------------------------------------------------------------------------------


@pytest.fixture
def simulator(settings: Settings, set_up_providers: SetUpProviders) -> Iterator[Server]:
    now = dt.datetime.now(dt.UTC)
    playing = Simulator(Options(participants=4, clock=now, speed=0.0, user_limit=0, project_limit=0, all_well=True))
    server = Server(playing, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    settings.GOOGLE_SIMULATOR_URL, settings.WEBHOOK_SECRET = server.address, GOOD["WEBHOOK_SECRET"]
    settings.TOKEN_KEYS = GOOD["TOKEN_KEYS"]
    options = {
        "client_id": "sim-client",
        "client_secret": "sim-secret",
        "simulator_url": server.address,
        "webhook_secret": settings.WEBHOOK_SECRET,
    }
    with httpx.Client() as http:
        set_up_providers(build(http, LocMemCache("commands", {}), options))
        yield server
    server.shutdown()
    server.server_close()
    playing.close()
    thread.join(5)


def test_the_store_equals_the_ground_truth_until_a_row_is_lost(db: None, simulator: Server) -> None:
    now = dt.datetime.now(dt.UTC)
    account = httpx.post(f"{simulator.address}/_sim/tokens", json={"user": "3"}).json()
    person = ParticipantFactory(
        trial=TrialFactory(is_demo=True), monitoring_starts_on=now.date() - dt.timedelta(days=1)
    )
    grant = Grant(
        account["access_token"],
        account["refresh_token"],
        now + dt.timedelta(hours=1),
        frozenset(account["scope"].split()),
    )
    connections_services.connect(
        participant=person, provider=live_providers.provider("google_health"), grant=grant, now=now, invitation=None
    )
    told("sync")
    assert "in all" in told("compare_simulator")
    lost = Measurement.objects.filter(metric__code="heart_rate").first()
    assert lost is not None
    Measurement.objects.filter(metric__code="heart_rate", time=lost.time).delete()
    assert "missing" in refused("compare_simulator")


@pytest.mark.django_db(transaction=True)
def test_the_subscriber_is_made_changed_shown_and_removed(
    simulator: Server, live_server: LiveServer, settings: Settings
) -> None:
    settings.PUBLIC_URL = live_server.url
    assert "tells" in told("google_webhooks", "create")
    assert "tells" in told("google_webhooks", "create")
    assert "ACTIVE" in told("google_webhooks", "list")
    told("google_webhooks", "delete")
    assert "No subscriber" in told("google_webhooks", "list")


def test_a_service_accounts_claim_is_signed_with_its_key() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    account = {
        "private_key": pem.decode(),
        "private_key_id": "k1",
        "client_email": "hooks@project.example",
        "token_uri": "https://token.test/",
    }
    text, _, signature = signed_claim(account, 1_700_000_000).rpartition(".")
    key.public_key().verify(_bytes(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256())
    claim = json.loads(_bytes(text.partition(".")[2]))
    assert (claim["iss"], claim["aud"], claim["exp"] - claim["iat"]) == (
        "hooks@project.example",
        "https://token.test/",
        600,
    )


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
