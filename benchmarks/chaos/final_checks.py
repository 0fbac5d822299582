"""Final checks: the store holds the vendor's ground truth, the audit trail holds, every export is whole."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any

from benchmarks import bench, storm
from benchmarks.chaos.installation import Installation


def patient(what: Callable[[], Any], made: Installation, seconds: float) -> Any:
    """Wait until `what` is true, while all is kept up; returns its last value."""
    until = time.monotonic() + seconds
    while not (result := what()) and time.monotonic() < until:
        made.pause(1)
    return result


def faults(made: Installation, exports: list[str], settle: float) -> list[str]:
    """Stop the clock, let everything settle, compare; prints tables, returns what is wrong."""
    from django.core.management import CommandError, call_command
    from django.db import connection

    connection.close()
    settled = storm.settle(made.vendor, settle)
    states = storm.states()
    rows = [[f"windows {name}", f"{number:,}"] for name, number in states.items()]
    rows += [[name, f"{number:,}"] for name, number in settled.items()]
    bench.table("Settled", ["", "number"], rows)
    wrong = [f"{states[name]} windows are still {name}" for name in ("due", "claimed", "failed") if states[name]]
    print("\nThe store beside the simulator's ground truth")
    for command in ("compare_simulator", "verify_audit"):
        try:
            call_command(command)
        except CommandError as fault:
            wrong.append(str(fault))
    return wrong + _exports(made, exports)


def _exports(made: Installation, uuids: list[str]) -> list[str]:
    """Each is done, its files are there as they were written, and hold the rows that it says."""
    from metrics.exports import store
    from metrics.models import Export

    def all_ended() -> bool:
        return all(export.ended for export in Export.objects.filter(uuid__in=uuids))

    patient(all_ended, made, 90)
    wrong, files, rows = [], 0, 0
    for export in Export.objects.filter(uuid__in=uuids):
        if export.state != Export.State.DONE:
            wrong.append(f"export {export.uuid} is {export.state}: {export.error}")
            continue
        for file in export.files.all():
            with store.open_file(export, file.path) as opened:
                whole = hashlib.sha256(opened.read()).hexdigest() == file.sha256
            if not whole:
                wrong.append(f"export {export.uuid}: {file.path} is not what was written")
            files, rows = files + 1, rows + (file.rows or 0)
    missing = len(uuids) - Export.objects.filter(uuid__in=uuids).count()
    if missing:
        wrong.append(f"{missing} exports that were promised are not there")
    print(f"\n{len(uuids)} exports were promised: {files} files, {rows:,} rows, all as written" if not wrong else "")
    return wrong
