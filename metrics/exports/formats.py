"""Export formats: by name the writer of the samples' files, and how these end. A new format is a row here."""

from __future__ import annotations

from metrics.exchange.mappings import LEFT_OUT
from metrics.exports.exchange_writers import FhirWriter, OmhWriter
from metrics.exports.writers import CsvWriter, NdjsonWriter, ParquetWriter, Writer
from metrics.models import Export
from metrics.registry import Metric

WRITERS: dict[str, tuple[type[Writer], str]] = {
    "parquet": (ParquetWriter, "parquet"),
    "csv": (CsvWriter, "csv"),
    "ndjson": (NdjsonWriter, "ndjson"),
    "fhir": (FhirWriter, "ndjson"),
    "omh": (OmhWriter, "ndjson"),
}
# What goes to systems that would add sources up: of each local date and metric the source that counts. Whoever takes
# the samples themselves gets those of all sources.
ONE_SOURCE = (Export.Format.FHIR.value, Export.Format.OMH.value)


def takes(name: str, metric: Metric) -> bool:
    """Whether a format has a way to say a metric; of those that it has not, the manifest tells why."""
    return name != Export.Format.OMH or metric.code not in LEFT_OUT
