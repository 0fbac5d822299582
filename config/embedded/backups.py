"""Backups of the embedded server (`make backup`, `make restore`): deploy/backup with its programs and user."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from config.embedded import environment
from config.embedded.environment import LOGS, ROOT, VAR
from config.embedded.postgres import Postgres, PostgresFault
from config.embedded.processes import say
from config.embedded.setup import SetupError, hold

PROGRAM = ROOT / "deploy" / "backup" / "backup"


def backup(arguments: Sequence[str]) -> int:
    """Any command of deploy/backup; `base` where none is given. The product must run for those that ask its server."""
    server = _server()
    return server.lend([str(PROGRAM), *(arguments or ("base",))], settings(server), [_folder()])


def restore(arguments: Sequence[str]) -> int:
    """Restores and puts the result in the place of the data, which are set aside and not deleted.

    Raises SetupError while the product runs: nobody may write to what is about to be replaced.
    """
    lock = hold(VAR / "product.lock")
    if lock is None:
        raise SetupError("Wearable Trials runs in this folder. Stop it first, then restore.")
    try:
        server = _server()
        fresh = server.data.with_name("data.restored")
        shutil.rmtree(fresh, ignore_errors=True)  # what an attempt before this one left
        command = [str(PROGRAM), "restore", *arguments, "--into", str(fresh)]
        status = server.lend(command, settings(server), [_folder()])
        if status != 0:
            return status
        if server.data.exists():
            aside = server.data.with_name(time.strftime("data.before-%Y%m%dT%H%M%SZ", time.gmtime()))
            server.data.rename(aside)
            say(f"The data of before are in {aside}; delete them when you need them no more.")
        fresh.rename(server.data)
        say("Restored. Start with `make run`, then: manage.py reapply_erasures, manage.py verify_audit, make backup")
        return 0
    finally:
        os.close(lock)


def settings(server: Postgres) -> dict[str, str]:
    """Settings of deploy/backup for the embedded server; BACKUP_* of the operator's own are passed on."""
    own = {name: value for name, value in os.environ.items() if name.startswith("BACKUP_")}
    return {**own, "BACKUP_FOLDER": str(_folder()), "BACKUP_DATABASE_URL": server.url()}


def _server() -> Postgres:
    environment.load_dotenv()
    if environment.given("DATABASE_URL", "DB_NAME"):
        raise PostgresFault("The database is a server of your own: call deploy/backup/backup there (docs/backup.md).")
    return Postgres(VAR / "postgres", LOGS / "postgres.log")


def _folder() -> Path:
    return Path(os.environ.get("BACKUP_FOLDER") or VAR / "backup").absolute()
