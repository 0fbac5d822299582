"""Google Takeout and Fitbit account exports: the JSON tree ("Global Export Data") and the CSV trees.

Both trees hold the same samples, so both go to the same source, where the natural key makes them one; only rows
whose `data source` names another origin than the tracker get a source of their own.
"""

from ingestion.providers.base.files import FileFormat
from ingestion.providers.takeout.csv_formats import CSV_FORMATS
from ingestion.providers.takeout.exercise import UserExercises
from ingestion.providers.takeout.json_formats import JSON_FORMATS
from ingestion.providers.takeout.names import exported, left_out, listed
from ingestion.providers.takeout.user_sleeps import UserSleeps

FORMATS: tuple[FileFormat, ...] = (*JSON_FORMATS, *CSV_FORMATS, UserSleeps(), UserExercises())

__all__ = ["FORMATS", "exported", "left_out", "listed"]
