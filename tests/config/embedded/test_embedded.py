"""The embedded servers: they start where folders are awkward, keep to themselves, and never outlive us."""

from __future__ import annotations

import os
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
import redis

from config.embedded import environment, supervisor
from config.embedded.postgres import SOCKET_FOLDER_BYTES, Postgres, PostgresFault, programs
from config.embedded.processes import Child, tail, wait_until
from config.embedded.redis_server import Redis, RedisFault, program
from config.embedded.supervisor import ATTEMPTS, Failed, Supervisor, Watch
from tests.paths import ROOT


def absent(find: Callable[[], object]) -> str:
    try:
        find()
    except (PostgresFault, RedisFault) as fault:
        return str(fault)
    return ""


needs_postgres = pytest.mark.skipif(bool(absent(programs)), reason=absent(programs))
needs_redis = pytest.mark.skipif(bool(absent(program)), reason=absent(program))


@pytest.fixture
def postgres() -> Iterator[Callable[[str], Postgres]]:
    """Starts servers, in a folder outside pytest's own: that one is closed again to root's server user."""
    started: list[Postgres] = []
    with tempfile.TemporaryDirectory() as home:

        def start(folder: str) -> Postgres:
            server = Postgres(Path(home) / folder, Path(home) / "postgres.log", throw_away=True)
            started.append(server)
            server.start(time.sleep)
            return server

        yield start
        for server in started:
            server.stop()
            if not server.socket_folder.is_relative_to(home):
                shutil.rmtree(server.socket_folder)


def ask(server: Postgres, query: str) -> object:
    with psycopg.connect(server.url()) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


@needs_postgres
def test_postgres_starts_in_a_folder_with_spaces_and_quotes(postgres: Callable[[str], Postgres]) -> None:
    assert ask(postgres("a 'b' \"c\", d"), "SHOW timezone") == "UTC"


@needs_postgres
def test_postgres_starts_in_a_folder_too_deep_for_a_socket(postgres: Callable[[str], Postgres]) -> None:
    server = postgres("/".join(["deep-folder"] * 10))
    assert len(os.fsencode(server.socket_folder)) <= SOCKET_FOLDER_BYTES
    assert ask(server, "SELECT 1") == 1


@needs_postgres
def test_postgres_listens_on_no_network_address(postgres: Callable[[str], Postgres]) -> None:
    assert ask(postgres("pg"), "SHOW listen_addresses") == ""


@needs_postgres
def test_the_socket_is_behind_a_folder_for_its_owner_only(postgres: Callable[[str], Postgres]) -> None:
    assert postgres("pg").socket_folder.stat().st_mode & 0o077 == 0


@needs_postgres
def test_data_stay_over_a_restart(postgres: Callable[[str], Postgres]) -> None:
    first = postgres("pg")
    with psycopg.connect(first.url()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    first.stop()
    assert ask(postgres("pg"), "SELECT answer FROM kept") == 42


@needs_postgres
def test_a_server_left_over_from_a_killed_supervisor_makes_way(postgres: Callable[[str], Postgres]) -> None:
    first = postgres("pg")
    second = postgres("pg")
    assert first.child.process is not None
    assert first.child.process.wait(10) == 0
    assert ask(second, "SELECT 1") == 1


def test_an_installed_server_is_used_before_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "valkey-server"
    installed.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program() == str(installed)


@needs_redis
def test_redis_answers_celery_and_redis_py_at_the_same_url(tmp_path: Path) -> None:
    server = Redis(tmp_path, tmp_path / "redis.log")
    server.start(time.sleep)
    try:
        with redis.Redis.from_url(server.url) as client:
            assert client.set("x", "1")
        address = server.url.rpartition("@")[2]
        with pytest.raises(redis.AuthenticationError), redis.Redis.from_url(f"redis://{address}") as stranger:
            stranger.ping()
    finally:
        server.stop()


def child(tmp_path: Path, code: str) -> Child:
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return Child("program", command, dict(os.environ), tmp_path / "program.log", ((signal.SIGTERM, 0.5),))


def test_a_child_that_ignores_the_signal_is_killed(tmp_path: Path) -> None:
    deaf = child(
        tmp_path,
        """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("deaf", flush=True)
        time.sleep(60)
        """,
    )
    deaf.start()
    while "deaf" not in tail(tmp_path / "program.log"):
        time.sleep(0.02)
    deaf.stop()
    assert deaf.exit_status == -signal.SIGKILL


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's help is Linux's")
def test_children_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    code = f"""
    import os, sys, time
    from pathlib import Path
    from config.embedded.processes import Child
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    child = Child("sleeper", command, dict(os.environ), Path("{tmp_path}/log"))
    child.start()
    print(child.process.pid, flush=True)
    time.sleep(60)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as parent:
        assert parent.stdout is not None
        orphan = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and alive(orphan):
        time.sleep(0.02)
    assert not alive(orphan)


def alive(process: int) -> bool:
    """False for one that is gone or only waits to be collected."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Clock:
    """Time that passes only where somebody pauses, by so many seconds each time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, step: float) -> None:
        self.now, self.step = 1000.0, step
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    def pause(self, _seconds: float) -> None:
        self.now += self.step


def test_what_lives_is_waited_for_however_long_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slow = child(tmp_path, "import time; time.sleep(60)")
    slow.start()
    clock = Clock(monkeypatch, 5)
    try:
        assert wait_until(lambda: clock.now >= 1000 + 3600, slow, lambda: "the pages (no answer yet)", clock.pause)
    finally:
        slow.stop()
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 3600 / 15 - 1
    assert said[0] == (
        f"Waiting for the pages (no answer yet), 15 s so far. Its log: {tmp_path}/program.log. Ctrl-C ends."
    )


def test_what_ended_is_waited_for_no_longer(tmp_path: Path) -> None:
    gone = child(tmp_path, "pass")
    gone.start()
    gone.process.wait()  # type: ignore[union-attr]
    assert not wait_until(lambda: False, gone, "nothing", time.sleep)


def test_pages_that_come_after_minutes_are_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    supervisor = Supervisor(demo=False)
    clock = Clock(monkeypatch, 20)
    monkeypatch.setattr(supervisor, "_pause", clock.pause)
    monkeypatch.setattr(supervisor, "_pages_respond", lambda: clock.now > 1000 + 600)
    web = child(tmp_path, "import time; time.sleep(60)")
    web.start()
    try:
        supervisor._await_pages(web)
    finally:
        web.stop()
    monkeypatch.setattr(supervisor, "_pages_respond", lambda: False)
    with pytest.raises(Failed, match="web server ended"):
        supervisor._await_pages(web)


def test_a_worker_that_still_loads_gives_signs_of_life_until_it_has_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = runpy.run_path(str(ROOT / "deploy" / "gunicorn.conf.py"))
    noted = threading.Semaphore(0)
    worker = SimpleNamespace(notify=noted.release)
    settings["post_fork"].__globals__["SIGN_OF_LIFE_SECONDS"] = 0.001
    before = sys.getswitchinterval()
    try:
        settings["post_fork"](None, worker)
        for _ in range(2):
            assert noted.acquire(timeout=30)
        settings["post_worker_init"](worker)
    finally:
        sys.setswitchinterval(before)
    (loading,) = [one for one in threading.enumerate() if one.name.endswith("(_loading)")]
    loading.join(30)
    assert not loading.is_alive()


def test_a_child_that_dies_is_started_again_after_a_pause(tmp_path: Path) -> None:
    watch = Watch(child(tmp_path, "pass"))
    watch.child.start()
    watch.child.process.wait()  # type: ignore[union-attr]
    first = watch.child.process
    watch.tend(watch.started + 1)
    watch.tend(watch.started + 1.5)
    assert watch.child.process is first
    watch.tend(watch.started + 2.1)
    assert watch.child.process is not first
    watch.child.stop()


def test_a_child_that_keeps_dying_ends_the_product_and_names_the_log(tmp_path: Path) -> None:
    watch = Watch(child(tmp_path, "raise SystemExit('no good')"))
    watch.child.start()
    now = watch.started

    def live_and_die() -> None:
        nonlocal now
        for _ in range(2 * ATTEMPTS):
            watch.child.process.wait()  # type: ignore[union-attr]
            watch.tend(now)
            now += 20

    with pytest.raises(Failed, match=r"program keeps ending.*program\.log(.|\n)*no good"):
        live_and_die()


def test_the_secret_key_is_made_once_and_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "VAR", tmp_path)
    key = environment.secret_key()
    assert len(key) >= 50
    assert environment.secret_key() == key
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


def test_the_published_addresses_are_private_and_go_with_the_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "embedded.env"
    monkeypatch.setattr(environment, "EMBEDDED_ENV", file)
    environment.publish({"REDIS_URL": "redis://:x@127.0.0.1:1/0"})
    assert file.stat().st_mode & 0o777 == 0o600
    environment.withdraw()
    assert not file.exists()


def test_the_demo_logins_are_those_that_the_demo_makes() -> None:
    from ingestion.demo import trial

    assert supervisor.DEMO_LOGINS == (trial.MANAGER, trial.COORDINATOR, trial.STAFF)
    assert supervisor.DEMO_PASSWORD == trial.PASSWORD
