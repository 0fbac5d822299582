"""An export of everything about one participant (participants.privacy.subject_access), as one archive."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from typing import BinaryIO, cast

from metrics.exports import store
from metrics.exports.partial_file import PartialFile
from metrics.models import Export
from participants.privacy import subject_access as privacy_subject_access

ARCHIVE = "everything.zip"


def write(export: Export, tell: Callable[[int], None], kept: Callable[[PartialFile, int | None], None]) -> None:
    """Write the archive; a successor of a killed worker begins anew. Nothing where the person was erased meanwhile."""
    participant = export.people.select_related("trial").first()
    if participant is None:
        return
    name = f"{participant.trial.code} {participant.study_id}"
    with store.scratch(export) as place, store.partial_file(export, ARCHIVE) as file:
        making = place / "all"
        rows = privacy_subject_access.write(participant, making, tell)
        with zipfile.ZipFile(cast(BinaryIO, file), "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(making.rglob("*")):
                if path.is_file():
                    archive.write(path, f"{name}/{path.relative_to(making)}")
                    tell(0)
        kept(file, sum(rows.values()))
