"""Exports in a bucket (EXPORT_STORE=s3://bucket/prefix): any number of hosts write, serve and delete them."""

from __future__ import annotations

from typing import BinaryIO

from metrics.exports.folder_store import is_uuid
from metrics.exports.partial_file import PartialFile
from metrics.models import Export
from participants.s3 import Bucket, Missing


class Objects:
    """The store that a bucket is. Its methods raise participants.s3.StoreFault."""

    def __init__(self, url: str) -> None:
        self._url, self._bucket = url, Bucket(url)

    def identity(self) -> str:
        return self._url

    def begin(self, export: Export) -> None:
        """Give up what a killed worker left half-uploaded: it would be paid for and never seen."""
        self._bucket.abandon(f"{export.uuid}/")

    def partial_file(self, export: Export, path: str) -> PartialFile:
        return _ObjectPartialFile(self._bucket, str(export.uuid), path)

    def open(self, export: Export, path: str, start: int = 0, end: int | None = None) -> BinaryIO:
        """The bytes [start, end) of a finished file. Raises FileNotFoundError where it is gone."""
        try:
            return self._bucket.open(f"{export.uuid}/{path}", start, end)
        except Missing as gone:
            raise FileNotFoundError(path) from gone

    def holds(self, export: Export, path: str) -> bool:
        try:
            return self._bucket.size(f"{export.uuid}/{path}") >= 0
        except Missing:
            return False

    def remove(self, name: str) -> None:
        """Delete all files of an export, by its id, and their former versions."""
        self._bucket.remove(f"{name}/")

    def names(self) -> set[str]:
        """The ids of exports of which something is there."""
        return {name for name in self._bucket.folders() if is_uuid(name)}


class _ObjectPartialFile(PartialFile):
    def __init__(self, bucket: Bucket, export: str, path: str) -> None:
        super().__init__(path)
        self._upload = bucket.upload(f"{export}/{path}")

    def take(self, data: memoryview) -> None:
        self._upload.write(data)

    def finish(self) -> None:
        self._upload.finish()

    def discard(self) -> None:
        self._upload.abandon()
