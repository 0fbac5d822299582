"""Google Takeout and Fitbit account exports."""

from ingestion.providers.base import FileFormat

FORMATS: tuple[FileFormat, ...] = ()


def left_out(path: str) -> str | None:
    return None
