"""Settings: every variable is documented, the old names work, and mistakes stop the start by name."""

from __future__ import annotations

import os
import re
import runpy
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.paths import ROOT

Load = Callable[..., dict[str, Any]]


def documented_names() -> set[str]:
    source = (ROOT / "config" / "settings.py").read_text()
    return set(re.findall(r'(?:env\.\w+|boolean|secret|clock_time)\(\s*"([A-Z0-9_]+)"', source))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with nothing of a project but its settings, so that no `.env` of ours is read."""
    (tmp_path / "config").mkdir()
    shutil.copy(ROOT / "config" / "settings.py", tmp_path / "config")
    return tmp_path


@pytest.fixture
def load(project: Path) -> Iterator[Load]:
    """Loads the settings under exactly the variables given."""
    before = dict(os.environ)

    def load_settings(**variables: str) -> dict[str, Any]:
        os.environ.clear()
        os.environ.update(variables)
        return runpy.run_path(str(project / "config" / "settings.py"))

    yield load_settings
    os.environ.clear()
    os.environ.update(before)


def database(load: Load, **variables: str) -> dict[str, Any]:
    found: dict[str, Any] = load(SECRET_KEY="x", **variables)["DATABASES"]["default"]
    return found


def test_every_variable_is_in_the_example_file() -> None:
    example = (ROOT / ".env.example").read_text()
    of_compose = set(re.findall(r"\$\{([A-Z0-9_]+)", (ROOT / "docker-compose.yml").read_text()))
    programs = "".join(path.read_text() for path in (ROOT / "deploy" / "backup").glob("*.sh"))
    of_compose |= set(re.findall(r"\$\{(BACKUP_[A-Z_]+)", programs))
    assert set(re.findall(r"^(?:# )?([A-Z0-9_]+)=", example, flags=re.MULTILINE)) == documented_names() | of_compose


def test_every_variable_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    rows = "\n".join(line.split("|")[1] for line in readme.splitlines() if line.startswith("| `"))
    assert documented_names() <= set(re.findall(r"`([A-Z0-9_]+)`", rows))


def test_the_example_file_changes_no_default(load: Load, project: Path) -> None:
    plain = load(SECRET_KEY="x", DATABASE_URL="postgresql://a@b/c")
    shutil.copy(ROOT / ".env.example", project / ".env")
    copied = load(SECRET_KEY="x", DATABASE_URL="postgresql://a@b/c")
    simple = (str, int, bool, list)
    assert {k: v for k, v in copied.items() if k.isupper() and isinstance(v, simple)} == {
        k: v for k, v in plain.items() if k.isupper() and isinstance(v, simple)
    }


def test_no_secret_key_stops_the_start(load: Load) -> None:
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY"):
        load(DATABASE_URL="postgresql://a@b/c")


def test_no_database_stops_the_start_and_names_the_way_out(load: Load) -> None:
    with pytest.raises(ImproperlyConfigured, match="make demo"):
        load(SECRET_KEY="x")


def test_another_kind_of_database_is_refused(load: Load) -> None:
    with pytest.raises(ImproperlyConfigured, match="PostgreSQL"):
        load(SECRET_KEY="x", DATABASE_URL="sqlite:///x.db")


def test_a_switch_that_is_neither_yes_nor_no_is_refused(load: Load) -> None:
    with pytest.raises(ImproperlyConfigured, match="DEBUG must be True or False"):
        load(SECRET_KEY="x", DATABASE_URL="postgresql://a@b/c", DEBUG="flase")


def test_the_first_versions_database_names_work(load: Load) -> None:
    found = database(load, DB_NAME="wear", DB_USER="ann", DB_PASS="p@ss/w%rd", DB_HOST="db.example.org", DB_PORT="6543")
    assert [found[key] for key in ("NAME", "USER", "PASSWORD", "HOST", "PORT")] == [
        "wear",
        "ann",
        "p@ss/w%rd",
        "db.example.org",
        6543,
    ]


def test_database_url_wins_over_the_parts(load: Load) -> None:
    assert database(load, DATABASE_URL="postgresql://a@b/one", DB_NAME="two")["NAME"] == "one"


def test_empty_parts_count_as_absent(load: Load) -> None:
    found = database(load, DB_NAME="wear", DB_HOST="", DB_PORT="", DB_USER="")
    assert (found["HOST"], found["PORT"], found["USER"]) == ("localhost", 5432, "postgres")


def test_a_unix_socket_in_the_url_becomes_the_host(load: Load) -> None:
    found = database(load, DATABASE_URL="postgresql://postgres:@/postgres?host=/a%20b/run")
    assert (found["HOST"], "host" in found["OPTIONS"]) == ("/a b/run", False)


def test_a_unix_socket_as_db_host_works(load: Load) -> None:
    found = database(load, DB_NAME="wear", DB_HOST="/var/run/postgresql", DB_PORT="5433")
    assert (found["HOST"], found["PORT"]) == ("/var/run/postgresql", 5433)


def test_a_secret_may_begin_with_a_dollar_sign(load: Load) -> None:
    assert load(SECRET_KEY="$ecret", DATABASE_URL="postgresql://a@b/c")["SECRET_KEY"] == "$ecret"


def test_a_secret_may_come_from_a_file(load: Load, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from a file")
    found = load(SECRET_KEY_FILE=str(tmp_path / "key"), DATABASE_URL="postgresql://a@b/c")
    assert found["SECRET_KEY"] == "from a file"


def test_the_embedded_servers_are_found_while_they_run(load: Load, project: Path) -> None:
    (project / "var").mkdir()
    (project / "var" / "embedded.env").write_text('SECRET_KEY="k"\nDATABASE_URL="postgresql://a@b/embedded"\n')
    assert load()["DATABASES"]["default"]["NAME"] == "embedded"


def test_a_database_of_ones_own_wins_over_the_embedded_one(load: Load, project: Path) -> None:
    (project / "var").mkdir()
    (project / "var" / "embedded.env").write_text('SECRET_KEY="k"\nDATABASE_URL="postgresql://a@b/embedded"\n')
    (project / ".env").write_text("SECRET_KEY=k\nDB_NAME=mine\n")
    assert load()["DATABASES"]["default"]["NAME"] == "mine"


def test_the_table_of_contents_names_the_sections_in_their_order() -> None:
    source = (ROOT / "config" / "settings.py").read_text()
    listed = re.findall(r"^\d+\. (.+)$", source.split('"""')[1], flags=re.MULTILINE)
    assert listed == re.findall(r"^# --- (.+) ---$", source, flags=re.MULTILINE)
    assert len(listed) > 10
