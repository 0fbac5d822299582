"""Store of export files: a folder, or a bucket that speaks S3 (settings.EXPORT_STORE).

New exports go where the setting says; what was written is read and deleted where its row says that it lies, so that
the setting may be changed at any time. A file appears under its own name when it is whole. Names hold codes, never
people's names.
"""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from django.conf import settings
from django.utils import timezone

from metrics.exports import folder_store
from metrics.exports.folder_store import Folder
from metrics.exports.partial_file import PartialFile
from metrics.exports.s3_store import Objects
from metrics.models import Export, ExportFile
from participants.s3 import SCHEME, StoreFault

SCRATCH = "making-"
# A worker that was not heard of for so long is gone. It is heard of every few seconds.
SILENT = dt.timedelta(minutes=3)


class Elsewhere(StoreFault):
    """An export's files lie in a folder that this host does not share."""


class Store(Protocol):
    """Store of exports: what each can do; see folder_store.Folder and s3_store.Objects."""

    def identity(self) -> str: ...
    def begin(self, export: Export) -> None: ...
    def partial_file(self, export: Export, path: str) -> PartialFile: ...
    def open(self, export: Export, path: str, start: int = 0, end: int | None = None) -> BinaryIO: ...
    def holds(self, export: Export, path: str) -> bool: ...
    def remove(self, name: str) -> None: ...
    def names(self) -> set[str]: ...


def chosen() -> Store:
    """Store of new exports."""
    return Objects(settings.EXPORT_STORE) if settings.EXPORT_STORE else Folder()


def store_of(export: Export) -> Store:
    """Store in which an export lies. Raises Elsewhere where this host cannot see it."""
    where = Export.objects.filter(pk=export.pk).values_list("store", flat=True).first() or ""
    if where.startswith(f"{SCHEME}://"):
        return Objects(where)
    if where not in ("", folder_store.mark()):
        raise Elsewhere(
            f"The files of export {export.uuid} lie on another host: they were written to an export folder "
            f"({where}) that is not the one of this host. Share EXPORT_FOLDER among all hosts, or set EXPORT_STORE "
            "(docs/scaling.md)."
        )
    return Folder()


def begin(export: Export) -> None:
    """Make ready for writing. What an earlier worker finished counts where it can be seen; else it is written anew."""
    store = chosen()
    here = store.identity()
    if export.store not in ("", here):
        ExportFile.objects.filter(export=export).delete()
    Export.objects.filter(pk=export.pk).update(store=here)
    store.begin(export)


def partial_file(export: Export, path: str) -> PartialFile:
    """A file to write into."""
    return chosen().partial_file(export, path)


def open_file(export: Export, path: str, start: int = 0, end: int | None = None) -> BinaryIO:
    """A finished file from `start` on, and where `end` is given perhaps no further than that.

    Raises FileNotFoundError where it is gone, StoreFault where the store cannot be used.
    """
    return store_of(export).open(export, path, start, end)


def holds(export: Export, path: str) -> bool:
    """Whether a finished file is there. Raises StoreFault."""
    return store_of(export).holds(export, path)


def remove(export: Export) -> None:
    """Delete all files of an export; nothing where there are none. Raises StoreFault."""
    store_of(export).remove(str(export.uuid))


def held() -> list[tuple[Store, str]]:
    """All that can be seen from here: stores, and the ids of exports of which something is in them."""
    stores = [chosen(), Folder()] if settings.EXPORT_STORE else [chosen()]
    return [(store, name) for store in stores for name in sorted(store.names())]


def foreign() -> set[str]:
    """Folders that hold exports and are not this host's: hosts that should share one do not. Empty: all is well."""
    kept = Export.objects.filter(state=Export.State.DONE, store__startswith=folder_store.SCHEME)
    folders = set(kept.order_by().values_list("store", flat=True).distinct())
    own = folder_store.mark()
    if own:
        return folders - {own}
    return folders if len(folders) > 1 else set()


@contextmanager
def scratch(export: Export) -> Iterator[Path]:
    """A folder of this process alone, for what cannot be written in one go; gone at the end."""
    folder_store.root().mkdir(parents=True, exist_ok=True)
    sweep()
    with tempfile.TemporaryDirectory(prefix=f"{SCRATCH}{export.uuid}-", dir=folder_store.root()) as place:
        yield Path(place)


def sweep() -> None:
    """Delete what killed workers left of such folders on this host's disk: it is one person's data."""
    left = [(path, path.name.removeprefix(SCRATCH)[:36]) for path in folder_store.root().glob(f"{SCRATCH}*")]
    if left:
        running = Export.objects.filter(uuid__in=[name for _, name in left], state=Export.State.RUNNING)
        heard = running.filter(heard_at__gt=timezone.now() - SILENT)
        at_work = {str(uuid) for uuid in heard.values_list("uuid", flat=True)}
        for path in (path for path, name in left if name not in at_work):
            shutil.rmtree(path, ignore_errors=True)
