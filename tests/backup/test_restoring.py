"""Backups and the way back, on a server that loses everything: row for row, to a time and to the last moment."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.embedded.postgres import PostgresFault, programs
from tests.backup.scenario import Restored, Scenario, contents, copy_of, mine


@pytest.fixture(scope="module")
def scenario() -> Iterator[Scenario]:
    """Played once: the server is gone, the backups are there. Tests that damage them work on copies."""
    try:
        programs()
    except PostgresFault as fault:
        pytest.skip(str(fault))
    # Outside pytest's own folder: that one is closed to the server's user when root runs the tests.
    with tempfile.TemporaryDirectory() as home:
        mine(Path(home))
        played = Scenario(Path(home))
        try:
            played.play()
            yield played
        finally:
            played.end()


def test_a_restore_to_a_time_brings_every_row_of_then_and_the_product_starts_on_it(scenario: Scenario) -> None:
    folder = mine(scenario.home / "then")
    done = scenario.backup("restore", "--to", scenario.at, "--into", str(folder / "data"))
    assert done.returncode == 0, done.stderr
    with Restored(folder, scenario.journal) as back:
        assert contents(back.server.url()) == scenario.then
        assert back.product("command migrate") == ""
        # One was erased after that time: the journal, which is kept apart, makes the restored server forget them too.
        assert "1 carried out again" in back.product("command reapply_erasures")
        assert "holds" in back.product("command verify_audit")


def test_a_restore_to_the_newest_loses_nothing_that_was_received_before_the_kill(
    scenario: Scenario,
) -> None:
    folder = mine(scenario.home / "newest")
    done = scenario.backup("restore", "--into", str(folder / "data"))
    assert done.returncode == 0, done.stderr
    with Restored(folder, scenario.journal) as back:
        assert contents(back.server.url()) == scenario.newest
        # The restored server's history parts from the old one: the receiver sets the old log aside and begins anew.
        changed = {"BACKUP_FOLDER": str(copy_of(scenario.store, scenario.home / "again"))}
        scenario.server, lost = back.server, scenario.server
        try:
            said = scenario.receive_for_a_moment(**changed)
        finally:
            scenario.server = lost
        assert "A GAP" in said
        assert list((scenario.home / "again").glob("wal-until-*/0*.gz"))


def test_the_whole_chain_is_found_whole(scenario: Scenario) -> None:
    done = scenario.backup("check")
    assert done.returncode == 0, done.stderr
    assert "whole: 1 base backups" in done.stdout


def test_a_missing_segment_of_the_log_is_named_and_the_restore_across_it_refused(scenario: Scenario) -> None:
    store = copy_of(scenario.store, scenario.home / "gap")
    missing = scenario.segments()[-1].name
    (store / "wal" / missing).unlink()
    name = missing.removesuffix(".gz")
    checked = scenario.backup("check", BACKUP_FOLDER=str(store))
    assert checked.returncode == 1
    assert f"{name} is missing" in checked.stderr
    refused = scenario.backup("restore", "--into", str(scenario.home / "never"), BACKUP_FOLDER=str(store))
    assert refused.returncode == 1
    assert re.search(f"{name} is missing.*--to '20", refused.stderr)
    assert not (scenario.home / "never").exists()


def test_a_damaged_base_backup_is_found_and_not_restored(scenario: Scenario) -> None:
    store = copy_of(scenario.store, scenario.home / "damaged")
    archive = next(store.glob("base/*/base.tar.gz"))
    bytes_of = bytearray(archive.read_bytes())
    bytes_of[len(bytes_of) // 2] ^= 0xFF
    archive.write_bytes(bytes_of)
    for arguments in (["check"], ["restore", "--into", str(scenario.home / "never")]):
        done = scenario.backup(*arguments, BACKUP_FOLDER=str(store))
        assert done.returncode == 1
        assert "is damaged" in done.stderr
    assert not (scenario.home / "never").exists()


def test_a_damaged_segment_of_the_log_is_found(scenario: Scenario) -> None:
    store = copy_of(scenario.store, scenario.home / "flipped")
    segment = store / "wal" / scenario.segments()[0].name
    bytes_of = bytearray(segment.read_bytes())
    bytes_of[len(bytes_of) // 2] ^= 0xFF
    segment.write_bytes(bytes_of)
    done = scenario.backup("check", BACKUP_FOLDER=str(store))
    assert done.returncode == 1
    assert f"{segment.name} is damaged" in done.stderr


def test_nothing_is_restored_over_data(scenario: Scenario) -> None:
    folder = mine(scenario.home / "full")
    (folder / "precious").write_text("x")
    done = scenario.backup("restore", "--into", str(folder))
    assert done.returncode == 1
    assert "is not empty" in done.stderr
    assert (folder / "precious").read_text() == "x"


@pytest.mark.parametrize(
    ("to", "reason"), [("2020-01-01 00:00:00", "no base backup was complete at 2020"), ("yesterday", "a time in UTC")]
)
def test_a_time_that_cannot_be_reached_is_refused_with_the_reason(scenario: Scenario, to: str, reason: str) -> None:
    done = scenario.backup("restore", "--to", to, "--into", str(scenario.home / "never"))
    assert done.returncode == 1
    assert reason in done.stderr


def test_a_server_that_is_away_leaves_no_half_backup(scenario: Scenario) -> None:
    before = scenario.bases()
    done = scenario.backup("base")
    assert done.returncode == 1
    assert "does not answer" in done.stderr
    assert scenario.bases() == before
    assert not list((scenario.store / "base").glob(".part-*"))


def test_a_base_backup_that_differs_from_what_the_server_sent_is_not_counted(scenario: Scenario) -> None:
    assert scenario.spoiled is not None
    assert scenario.spoiled.returncode == 1
    assert "differs from what the server sent: PG_VERSION" in scenario.spoiled.stderr
    assert len(scenario.bases()) == 1


def test_two_at_once_are_refused(scenario: Scenario) -> None:
    with scenario.locked("base"):
        done = scenario.backup("base")
    assert done.returncode == 1
    assert "another 'base' is at work" in done.stderr


def test_the_report_for_the_monitoring_tells_the_times_and_the_size(scenario: Scenario) -> None:
    told = dict(line.split() for line in scenario.report.splitlines() if not line.startswith("#"))
    info = dict(line.split("=") for line in (scenario.bases()[0] / "info").read_text().splitlines())
    assert told["wearable_backup_last_success_timestamp_seconds"] == info["ended"]
    assert told["wearable_backup_bytes"] == info["bytes"]
    assert int(told["wearable_wal_last_received_timestamp_seconds"]) >= int(info["started"])


def test_pruning_keeps_the_newest_backups_and_the_log_from_the_oldest_of_them_on(scenario: Scenario) -> None:
    store = copy_of(scenario.store, scenario.home / "pruned")
    (only,) = (store / "base").glob("2*")
    older = copy_of(only, only.with_name("20260101T000000Z"))
    needed = sorted(path.name for path in (store / "wal").glob("0*"))
    useless = store / "wal" / "000000010000000000000001.gz"
    useless.write_bytes(b"")
    assert scenario.backup("prune", BACKUP_FOLDER=str(store), BACKUP_KEEP="2").returncode == 0
    assert older.exists()
    assert scenario.backup("prune", BACKUP_FOLDER=str(store), BACKUP_KEEP="1").returncode == 0
    assert not older.exists()
    assert only.exists()
    first = int(dict(line.split("=") for line in (only / "info").read_text().splitlines())["first"])
    left = sorted(path.name for path in (store / "wal").glob("0*"))
    assert left == [name for name in needed if int(name[8:16], 16) * 256 + int(name[16:24], 16) >= first]
