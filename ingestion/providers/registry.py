"""All providers: the only module that names every vendor."""

from __future__ import annotations

from ingestion.providers import fitabase, takeout
from ingestion.providers.base import FileFormat

# Asked in this order; the first that matches reads the file.
FILE_FORMATS: tuple[FileFormat, ...] = (*fitabase.FORMATS, *takeout.FORMATS)


def left_out(path: str) -> str | None:
    """Why a file of this path is left out on purpose, and not opened; None if it is not."""
    return takeout.left_out(path) or fitabase.left_out(path)
