"""Fitabase's CSV exports: merged files with an Id column, and files of one participant named after her.

All times are the participant's wall clock, US style ("4/12/2016 7:21:00 AM"), without a zone.
"""

from ingestion.providers.fitabase.formats import FORMATS
from ingestion.providers.fitabase.names import left_out

__all__ = ["FORMATS", "left_out"]
