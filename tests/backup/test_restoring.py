"""Backups and the way back, on a server that loses everything: row for row, to a time and to the last moment."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.embedded.postgres import PostgresFault, programs
from tests.backup.world import Restored, World, contents, copy_of, mine


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Played once: the server is gone, the backups are there. Tests that damage them work on copies."""
    try:
        programs()
    except PostgresFault as fault:
        pytest.skip(str(fault))
    # Outside pytest's own folder: that one is closed to the server's user when root runs the tests.
    with tempfile.TemporaryDirectory() as home:
        mine(Path(home))
        played = World(Path(home))
        try:
            played.play()
            yield played
        finally:
            played.end()


def test_a_restore_to_a_time_brings_every_row_of_then_and_the_product_starts_on_it(world: World) -> None:
    folder = mine(world.home / "then")
    done = world.backup("restore", "--to", world.at, "--into", str(folder / "data"))
    assert done.returncode == 0, done.stderr
    with Restored(folder, world.journal) as back:
        assert contents(back.server.url()) == world.then
        assert back.product("command migrate") == ""
        # One was erased after that time: the journal, which is kept apart, makes the restored server forget them too.
        assert "1 carried out again" in back.product("command reapply_erasures")
        assert "holds" in back.product("command verify_audit")


def test_a_restore_to_the_newest_loses_nothing_that_was_received_before_the_server_was_killed(world: World) -> None:
    folder = mine(world.home / "newest")
    done = world.backup("restore", "--into", str(folder / "data"))
    assert done.returncode == 0, done.stderr
    with Restored(folder, world.journal) as back:
        assert contents(back.server.url()) == world.newest
        # The restored server's history parts from the old one: the receiver sets the old log aside and begins anew.
        changed = {"BACKUP_FOLDER": str(copy_of(world.store, world.home / "again"))}
        world.server, lost = back.server, world.server
        try:
            said = world.receive_for_a_moment(**changed)
        finally:
            world.server = lost
        assert "A GAP" in said
        assert list((world.home / "again").glob("wal-until-*/0*.gz"))


def test_the_whole_chain_is_found_whole(world: World) -> None:
    done = world.backup("check")
    assert done.returncode == 0, done.stderr
    assert "whole: 1 base backups" in done.stdout


def test_a_missing_segment_of_the_log_is_named_and_the_restore_across_it_refused(world: World) -> None:
    store = copy_of(world.store, world.home / "gap")
    missing = world.segments()[-1].name
    (store / "wal" / missing).unlink()
    name = missing.removesuffix(".gz")
    checked = world.backup("check", BACKUP_FOLDER=str(store))
    assert checked.returncode == 1
    assert f"{name} is missing" in checked.stderr
    refused = world.backup("restore", "--into", str(world.home / "never"), BACKUP_FOLDER=str(store))
    assert refused.returncode == 1
    assert re.search(f"{name} is missing.*--to '20", refused.stderr)
    assert not (world.home / "never").exists()


def test_a_damaged_base_backup_is_found_and_not_restored(world: World) -> None:
    store = copy_of(world.store, world.home / "damaged")
    archive = next(store.glob("base/*/base.tar.gz"))
    bytes_of = bytearray(archive.read_bytes())
    bytes_of[len(bytes_of) // 2] ^= 0xFF
    archive.write_bytes(bytes_of)
    for arguments in (["check"], ["restore", "--into", str(world.home / "never")]):
        done = world.backup(*arguments, BACKUP_FOLDER=str(store))
        assert done.returncode == 1
        assert "is damaged" in done.stderr
    assert not (world.home / "never").exists()


def test_a_damaged_segment_of_the_log_is_found(world: World) -> None:
    store = copy_of(world.store, world.home / "flipped")
    segment = store / "wal" / world.segments()[0].name
    bytes_of = bytearray(segment.read_bytes())
    bytes_of[len(bytes_of) // 2] ^= 0xFF
    segment.write_bytes(bytes_of)
    done = world.backup("check", BACKUP_FOLDER=str(store))
    assert done.returncode == 1
    assert f"{segment.name} is damaged" in done.stderr


def test_nothing_is_restored_over_data(world: World) -> None:
    folder = mine(world.home / "full")
    (folder / "precious").write_text("x")
    done = world.backup("restore", "--into", str(folder))
    assert done.returncode == 1
    assert "is not empty" in done.stderr
    assert (folder / "precious").read_text() == "x"


@pytest.mark.parametrize(
    ("to", "reason"), [("2020-01-01 00:00:00", "no base backup was complete at 2020"), ("yesterday", "a time in UTC")]
)
def test_a_time_that_cannot_be_reached_is_refused_with_the_reason(world: World, to: str, reason: str) -> None:
    done = world.backup("restore", "--to", to, "--into", str(world.home / "never"))
    assert done.returncode == 1
    assert reason in done.stderr


def test_a_server_that_is_away_leaves_no_half_backup(world: World) -> None:
    before = world.bases()
    done = world.backup("base")
    assert done.returncode == 1
    assert "does not answer" in done.stderr
    assert world.bases() == before
    assert not list((world.store / "base").glob(".part-*"))


def test_a_base_backup_that_differs_from_what_the_server_sent_is_not_counted(world: World) -> None:
    assert world.spoiled is not None
    assert world.spoiled.returncode == 1
    assert "differs from what the server sent: PG_VERSION" in world.spoiled.stderr
    assert len(world.bases()) == 1


def test_two_at_once_are_refused(world: World) -> None:
    with world.holding("base"):
        done = world.backup("base")
    assert done.returncode == 1
    assert "another 'base' is at work" in done.stderr


def test_the_report_for_the_monitoring_tells_the_times_and_the_size(world: World) -> None:
    told = dict(line.split() for line in world.report.splitlines() if not line.startswith("#"))
    info = dict(line.split("=") for line in (world.bases()[0] / "info").read_text().splitlines())
    assert told["wearable_backup_last_success_timestamp_seconds"] == info["ended"]
    assert told["wearable_backup_bytes"] == info["bytes"]
    assert int(told["wearable_wal_last_received_timestamp_seconds"]) >= int(info["started"])


def test_pruning_keeps_the_newest_backups_and_the_log_from_the_oldest_of_them_on(world: World) -> None:
    store = copy_of(world.store, world.home / "pruned")
    (only,) = (store / "base").glob("2*")
    older = copy_of(only, only.with_name("20260101T000000Z"))
    needed = sorted(path.name for path in (store / "wal").glob("0*"))
    useless = store / "wal" / "000000010000000000000001.gz"
    useless.write_bytes(b"")
    assert world.backup("prune", BACKUP_FOLDER=str(store), BACKUP_KEEP="2").returncode == 0
    assert older.exists()
    assert world.backup("prune", BACKUP_FOLDER=str(store), BACKUP_KEEP="1").returncode == 0
    assert not older.exists()
    assert only.exists()
    first = int(dict(line.split("=") for line in (only / "info").read_text().splitlines())["first"])
    left = sorted(path.name for path in (store / "wal").glob("0*"))
    assert left == [name for name in needed if int(name[8:16], 16) * 256 + int(name[16:24], 16) >= first]
