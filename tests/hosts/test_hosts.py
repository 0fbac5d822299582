"""Two web servers, two workers and two schedulers at work together, and one of the workers is killed.

One test and no more: most of its time goes into starting nine processes.
"""

from __future__ import annotations

import io
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import httpx
import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.management import call_command
from django.utils import timezone
from moto.server import ThreadedMotoServer
from pytest_django import Settings

from config.embedded.redis_server import Redis, RedisFault
from ingestion.models import Connection, SyncWindow
from metrics.models import Export, Measurement
from metrics.storage.timescale import after_migrate
from participants.models import Trial
from tests import factories
from tests.hosts.hurried import EVERY_SECONDS
from tests.hosts.installation import Installation, answers, wait

PEOPLE = 3
PASSWORD = "a-long-test-password"
SENDS = "this scheduler sends what is due"
TAKEN = re.compile(r"Task (\S+)\[(\S+)\] received")


@pytest.fixture
def installation(transactional_db: None, tmp_path: Path) -> Iterator[Installation]:
    after_migrate()
    redis = Redis(tmp_path / "redis", tmp_path / "redis.log")
    try:
        redis.start(time.sleep)
    except RedisFault as fault:
        pytest.skip(str(fault))
    bucket = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    bucket.start()
    host, port = bucket.get_host_and_port()
    keys = {"S3_ENDPOINT_URL": f"http://{host}:{port}", "S3_ACCESS_KEY_ID": "key", "S3_SECRET_ACCESS_KEY": "secret"}
    boto3.client(
        "s3",
        endpoint_url=keys["S3_ENDPOINT_URL"],
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        region_name="us-east-1",
    ).create_bucket(Bucket="hosts")
    made = Installation.at(tmp_path, redis.url, {**keys, "S3_REGION": "us-east-1", "EXPORT_STORE": "s3://hosts/e"})
    try:
        yield made
    finally:
        made.end()
        bucket.stop()
        redis.stop()
        after_migrate()


def sign_in(address: str, email: str) -> httpx.Client:
    client = httpx.Client(timeout=20, follow_redirects=True)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', client.get(f"{address}/login/").text)
    assert token
    said = {"login": email, "password": PASSWORD, "csrfmiddlewaretoken": token[1]}
    answer = client.post(f"{address}/login/", data=said)
    assert answer.is_success, answer.status_code
    return client


def all_done() -> bool:
    """Everybody had a pass, and nothing of it is left."""
    now = timezone.now()
    waiting = SyncWindow.objects.exclude(state=SyncWindow.State.DONE).exists()
    return not waiting and Connection.objects.filter(next_due_at__gt=now, queued_at=None).count() == PEOPLE


def test_hosts_work_as_one(installation: Installation, settings: Settings) -> None:
    started = installation
    started.start("simulator", "manage.py", "simulate_google", "--port", started.simulator.rsplit(":", 1)[1],
                  "--participants", "5", "--seed", "7", "--user-limit", "0")  # fmt: skip
    first, second = started.web("web-1"), started.web("web-2")
    started.worker("worker-1", "celery")
    started.worker("worker-2", "celery,exports")
    wait(lambda: answers(f"{started.simulator}/_sim/clock"), "the simulator does not start")
    started.run("-m", "tests.hosts.enrol", str(PEOPLE), started.simulator)
    httpx.post(f"{started.simulator}/_sim/clock", json={"speed": 0}, timeout=10).raise_for_status()
    began = time.monotonic()
    started.beat("beat-1")
    started.beat("beat-2")

    # A worker is killed with windows on its desk.
    wait(lambda: SyncWindow.objects.filter(state="done").count() >= 3, "nothing is synced")
    assert not all_done()
    started.kill("worker-1")

    # A session that began at one web server goes on at the other.
    trial = Trial.objects.get(code="HOSTS")
    member = factories.MembershipFactory.create(trial=trial)
    member.user.password = PBKDF2PasswordHasher().encode(PASSWORD, "salt", 1000)
    member.user.save()
    wait(lambda: answers(f"{first}/login/") and answers(f"{second}/login/"), "a web server does not start")
    browser = sign_in(first, member.user.email)
    page = browser.get(f"{second}/trials/HOSTS/")
    assert (page.status_code, str(page.url)) == (200, f"{second}/trials/HOSTS/")

    wait(all_done, "what the killed worker had is not gone on with")
    settings.GOOGLE_SIMULATOR_URL = started.simulator
    call_command("compare_simulator", stdout=io.StringIO())  # raises where a row is missing, doubled or wrong

    # Asked for at one web server, written by the worker that is left, taken away at the other.
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', browser.get(f"{first}/trials/HOSTS/exports/").text)
    assert token
    asked = browser.post(
        f"{first}/trials/HOSTS/exports/",
        data={"format": "csv", "csrfmiddlewaretoken": token[1]},
        headers={"Origin": first},
    )
    assert asked.is_success, asked.text[:2000]
    export = Export.objects.get()
    wait(lambda: Export.objects.filter(state=Export.State.DONE).exists(), "the export is not written")
    taken = browser.get(f"{second}/trials/HOSTS/exports/{export.uuid}/download/")
    assert zipfile.ZipFile(io.BytesIO(taken.content)).testzip() is None
    export.refresh_from_db()
    assert export.rows_done == Measurement.objects.count() > 10_000
    assert not list(started.folder.glob("*/exports/*-*-*")), "nothing lies on a host's own disk"

    # One scheduler sends, and what it sends is taken once.
    assert sorted(SENDS in started.log(name) for name in ("beat-1", "beat-2")) == [False, True]
    received = [TAKEN.findall(started.log(name)) for name in ("worker-1", "worker-2")]
    ticks = [number for found in received for task, number in found if task == "ingestion.tick"]
    assert len(ticks) == len(set(ticks))
    assert 2 <= len(ticks) <= (time.monotonic() - began) / EVERY_SECONDS["tick"] + 1
