"""docker-compose.yml, as far as it can be checked without an engine: whole, closed, limited, pinned."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import redis

from config.embedded.redis_server import free_port
from deploy import make_secrets
from tests.config.test_settings import documented_names
from tests.deploy.compose import command, environment, file, filled, services, start_order
from tests.paths import ROOT

SERVICES = sorted(services())
OURS = ("wearable-trials:local", "wearable-trials-caddy:local")
ONE_SHOT = {name for name, each in services().items() if each["restart"] == "no"}
# It reads the kernel's accounts of other containers; the file says so too.
AS_ROOT = {"cadvisor"}
PUBLISHED = {"caddy"}


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"name": request.param, **services()[request.param]}


@pytest.mark.parametrize("name", ["docker-compose.yml", "docker-compose.dev.yml"])
def test_it_is_what_the_compose_specification_allows(name: str) -> None:
    tool = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*tool, str(ROOT / name)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_image_has_an_exact_version(service: dict[str, Any]) -> None:
    assert service["image"] in OURS or re.search(r":v?\d+\.\d+\.\d+[\w.-]*$", service["image"])


def test_every_build_starts_from_an_exact_version() -> None:
    dockerfiles = [ROOT / "Dockerfile", ROOT / "deploy" / "caddy" / "Dockerfile"]
    text = "\n".join(path.read_text() for path in dockerfiles)
    assert re.findall(r"^ARG PYTHON=(\S+)", text, re.M) == ["3.11.14-slim-bookworm"]
    stages = re.findall(r"^FROM (\S+)", text, re.M)
    assert all(stage in ("python:${PYTHON}", "packages") or re.search(r":\d+\.\d+\.\d+", stage) for stage in stages)
    assert all("USER 0" not in path.read_text() and "\nUSER " in path.read_text() for path in dockerfiles)


def test_no_container_runs_as_root_or_can_become_it(service: dict[str, Any]) -> None:
    assert (service["user"].split(":")[0] == "0") == (service["name"] in AS_ROOT)
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert "privileged" not in service
    assert "cap_add" not in service


def test_every_container_has_limits_and_bounded_logs(service: dict[str, Any]) -> None:
    limits = service["deploy"]["resources"]["limits"]
    assert float(filled(limits["cpus"], {})) > 0
    assert re.fullmatch(r"\d+[mg]", filled(limits["memory"], {}))
    assert "max-size" in service["logging"]["options"]


def test_what_lasts_is_watched_and_started_again(service: dict[str, Any]) -> None:
    if service["name"] not in ONE_SHOT:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"


def test_the_internet_reaches_the_proxy_alone(service: dict[str, Any]) -> None:
    ports = service.get("ports", [])
    if service["name"] in PUBLISHED:
        assert ports
    else:
        assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_database_and_redis_have_no_way_out() -> None:
    inner = {name for name, each in file()["networks"].items() if each and each.get("internal")}
    assert inner == {"store"}
    for name in ("database", "redis"):
        assert services()[name]["networks"] == ["store"]
        assert "ports" not in services()[name]


def test_redis_asks_for_the_password_that_the_product_has() -> None:
    redis = services()["redis"]
    script = command("redis", {})[-1]
    assert "requirepass $(cat /run/secrets/redis_password)" in script
    assert "redis_password" not in str(redis["command"][:-1]), "no list of processes shows it"
    assert "REDISCLI_AUTH" in redis["healthcheck"]["test"][-1]
    for name in ("migrate", "web", "worker", "exports", "beat"):
        assert environment(name, {})["REDIS_PASSWORD_FILE"] == "/run/secrets/redis_password"
        assert "redis_password" in services()[name]["secrets"]


@pytest.mark.skipif(not shutil.which("redis-server"), reason="needs an installed Redis")
def test_redis_starts_by_that_script_and_refuses_who_has_no_password(tmp_path: Path) -> None:
    (tmp_path / "redis_password").write_text("a-password")
    port = free_port()
    script = command("redis", {})[-1].replace("/run/secrets", str(tmp_path)).replace("save", f"port {port}\nsave", 1)
    server = subprocess.Popen(["sh", "-c", script], cwd=tmp_path)
    try:
        client, stranger = (redis.Redis(port=port, password=one) for one in ("a-password", None))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(redis.ConnectionError, redis.BusyLoadingError):
                assert client.ping()
                break
            time.sleep(0.05)
        with pytest.raises(redis.AuthenticationError):
            stranger.ping()
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
    finally:
        server.terminate()
        server.wait()


def test_the_proxy_does_not_reach_the_database() -> None:
    assert "store" not in services()["caddy"]["networks"]


def test_every_secret_is_declared_and_made_by_make_secrets() -> None:
    used = {secret for each in services().values() for secret in each.get("secrets", [])}
    declared = {name: each["file"] for name, each in file()["secrets"].items()}
    assert used == set(declared)
    assert declared == {
        name: f"./secrets/{name}"
        for name in (*make_secrets.MADE, *make_secrets.GIVEN, make_secrets.POOLER, make_secrets.WATCHER)
    }


def test_no_secret_stands_in_the_environment(service: dict[str, Any]) -> None:
    variables = service.get("environment", {})
    revealing = re.compile(r"(PASS|PASSWORD|SECRET|TOKEN|KEY|KEYS)$")
    assert not [name for name in variables if revealing.search(name)]
    mounted = {f"/run/secrets/{secret}" for secret in service.get("secrets", [])}
    assert {value for value in variables.values() if value.startswith("/run/secrets/")} <= mounted


def test_the_products_variables_are_settings() -> None:
    of_others = {
        "METRICS_TOKEN",
        "WORKER_METRICS_HOST",
        "WORKER_METRICS_PORT",
        "HOST",
        "PORT",
        "WEB_CONCURRENCY",
        "WEB_THREADS",
        "WEB_GRACE_SECONDS",
        "PROMETHEUS_MULTIPROC_DIR",
    }
    given = {name.removesuffix("_FILE") for name in environment("web", {})}
    assert given - of_others <= documented_names()


def test_every_mounted_file_is_in_the_project(service: dict[str, Any]) -> None:
    sources = [filled(mount, {}).split(":")[0] for mount in service.get("volumes", []) if isinstance(mount, str)]
    declared = file()["volumes"]
    assert all((ROOT / each).exists() for each in sources if each.startswith("./"))
    assert all(each in declared for each in sources if not each.startswith((".", "/")))


def test_every_command_of_the_product_exists() -> None:
    programs = Path(sys.executable).parent
    for name, each in services().items():
        if each["image"] != OURS[0]:
            continue
        words = command(name, {})
        assert shutil.which(words[0], path=str(programs)), name
        if words[:2] == ["python", "-m"]:
            assert importlib.util.find_spec(words[2]), name
        elif words[0] == "python":
            assert (ROOT / words[1]).is_file(), name


def test_nothing_starts_before_the_database_is_migrated() -> None:
    order = start_order()
    for name in ("web", "worker", "exports", "beat", "caddy"):
        assert order.index("migrate") < order.index(name)
    for name in ("web", "worker", "exports", "beat"):
        assert services()[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_the_image_holds_neither_secrets_nor_tests() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"  # everything is left out but what is named
    named = {rule[1:] for rule in rules if rule.startswith("!")}
    assert not named & {".env", "secrets", "var", "tests", ".git"}
    assert all((ROOT / name).exists() for name in named)


def test_missing_secrets_are_made_and_existing_ones_kept(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    made = make_secrets.make(folder)
    assert set(made) == {*make_secrets.MADE, *make_secrets.GIVEN}
    assert oct(folder.stat().st_mode)[-3:] == "700"
    before = {path.name: path.read_text() for path in folder.iterdir()}
    assert all(len(before[name]) > 40 for name in make_secrets.MADE)
    assert before["database_password"] in before["pooler_users"]
    assert json.loads(before["redis_exporter"]) == {"redis://redis:6379": before["redis_password"]}
    (folder / "metrics_token").unlink()
    assert make_secrets.make(folder) == ["metrics_token"]
    assert {name: (folder / name).read_text() for name in before if name != "metrics_token"} == {
        name: value for name, value in before.items() if name != "metrics_token"
    }
