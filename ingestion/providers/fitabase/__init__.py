"""Fitabase's CSV exports: merged files with an Id column, and files of one participant named after them.

All times are the participant's wall clock, US style ("4/12/2016 7:21:00 AM"), without a zone; syncEvents alone has UTC
beside it.
"""

from ingestion.providers.fitabase.formats import FORMATS
from ingestion.providers.fitabase.names import base, left_out

__all__ = ["FORMATS", "left_out", "listed"]

_TYPES = tuple(form.code.split(".", 1)[1].casefold() for form in FORMATS)


def listed(path: str) -> bool:
    """Whether a file's name is that of a kind that is read."""
    name = base(path).casefold()
    return name.endswith((".csv", ".csv.gz")) and any(file_type in name for file_type in _TYPES)
