"""An export of everything about one participant (participants.subject_access), as one archive."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable

from metrics.exports import store
from metrics.models import Export
from participants import subject_access

ARCHIVE = "everything.zip"


def write(export: Export, tell: Callable[[int], None], kept: Callable[[str, int | None], None]) -> None:
    """Write the archive; a successor of a killed worker begins anew. Nothing where she was erased meanwhile."""
    participant = export.people.select_related("trial").first()
    if participant is None:
        return
    making = store.folder(export) / "making"
    rows = subject_access.write(participant, making, tell)
    name = f"{participant.trial.code} {participant.study_id}"
    with zipfile.ZipFile(store.temporary(export, ARCHIVE), "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(making.rglob("*")):
            if path.is_file():
                archive.write(path, f"{name}/{path.relative_to(making)}")
                tell(0)
    shutil.rmtree(making)
    kept(ARCHIVE, sum(rows.values()))
