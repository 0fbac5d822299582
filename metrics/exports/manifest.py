"""Accompanying files of every export: a manifest for programs, a README for people, and of the daily table the
dictionary."""

from __future__ import annotations

import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from typing import Any

import orjson
from django.conf import settings

from metrics.exchange.mappings import left_out
from metrics.exports import daily, data_dictionary
from metrics.exports.formats import ONE_SOURCE
from metrics.exports.writers import COLUMNS, CsvWriter
from metrics.models import Export, Source
from metrics.registry import BY_CODE, METRICS, RANGES_SINCE, RANGES_VERSION
from metrics.selection.plausible_range import per_minute

FORMAT_VERSION = 2  # since 2: the column `plausible`
MANIFEST, README = "manifest.json", "README.txt"
ONE_SOURCE_WORDS = (
    "of each participant, metric and local date the source that counts: the first in the order of the protocol in force"
    " on the date, else the one that covers most minutes of it, then the one with most samples, then the lowest id"
)
ALL_SOURCES_WORDS = "samples of every source; several may have measured the same: never add them up"
COLLECTION_WORDS = (
    "what lies outside a participant's collection interval is not in these files, however it was stored: the trial's"
    " and the participant's dates, withdrawal, consent taken back, and pauses where the protocol says so"
)
COLUMN_WORDS = {
    "study_id": "participant's study id (pseudonym)",
    "metric": "code of the metric; see metrics",
    "source": "provider, platform and device model",
    "date": "participant's local date",
    "time": "instant of the sample or first instant of the interval, UTC",
    "utc_offset_minutes": "minutes by which the participant's clock was ahead of UTC",
    "value": "in the metric's unit",
    "seconds": "length of the interval; missing: a sample at an instant",
    "plausible": "whether the value counts: it lies in the metric's plausible range; see metrics and ranges",
}


@cache
def product_version() -> str:
    with (settings.BASE_DIR / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def files(export: Export) -> Iterator[tuple[str, bytes]]:
    """Files that are written once all data files are there, the manifest last: it names the others."""
    if export.format == Export.Format.SUBJECT:
        return  # its archive has a read-me for the participant, and nothing in it is for programs of ours
    if export.format == Export.Format.DAILY:
        variables = daily.variables_of(export)
        yield "dictionary.csv", data_dictionary.as_csv(variables)
        yield "dictionary.json", orjson.dumps([asdict(variable) for variable in variables], option=orjson.OPT_INDENT_2)
    yield README, readme(export).encode()
    yield MANIFEST, orjson.dumps(manifest(export), option=orjson.OPT_INDENT_2)


def manifest(export: Export) -> dict[str, Any]:
    """Everything that a reader needs to know and check the files. Times ISO 8601 in UTC."""
    written = list(export.files.exclude(path=MANIFEST).order_by("path"))
    instants = sorted({file.as_of for file in written if file.rows is not None})
    protocols = export.trial.protocols.order_by("version")
    codes = export.metrics or [metric.code for metric in METRICS]
    return {
        "product": "Wearable Trials",
        "product_version": product_version(),
        "format": export.format,
        "format_version": FORMAT_VERSION,
        "export": str(export.uuid),
        "trial": {"code": export.trial.code, "title": export.trial.title, "synthetic": export.trial.is_demo},
        "protocols": [
            {"version": protocol.version, "effective_on": protocol.effective_on.isoformat()} for protocol in protocols
        ],
        "asked_at": export.asked_at.isoformat(),
        "as_of": [at.isoformat() for at in instants],
        "as_of_means": "the state of the store that the files show; several where the work was interrupted: each file"
        " then names its own",
        "filters": {
            "participants": export.asked.get("participants"),
            "metrics": export.metrics or None,
            "sources": [str(source) for source in Source.objects.filter(pk__in=export.sources)] or None,
            "from": export.start_on and export.start_on.isoformat(),
            "to": export.end_on and export.end_on.isoformat(),
            "dates": export.clock,
        },
        "source_rule": ONE_SOURCE_WORDS if one_source(export) else ALL_SOURCES_WORDS,
        "collection": COLLECTION_WORDS,
        **removed(export),
        "participants": export.people.count(),
        "columns": columns(export),
        "metrics": [
            {
                "code": metric.code,
                "name": metric.name,
                "unit": metric.unit,
                "concept": metric.concept,
                "system": metric.system,
                "plausible": list(metric.plausible),
                "plausible_per_minute": per_minute(metric),
            }
            for metric in (BY_CODE[code] for code in codes)
        ],
        "ranges": {
            "version": RANGES_VERSION,
            "since": RANGES_SINCE.isoformat(),
            "means": "values outside their metric's plausible range do not count; of an interval that is longer than a"
            " minute the range is so many times as high where it is a minute's",
        },
        **({"left_out": left_out(codes)} if export.format == Export.Format.OMH else {}),
        "rows": sum(file.rows or 0 for file in written if file.path not in daily.TWINS),
        "bytes": sum(file.size for file in written),
        "files": [
            {
                "path": file.path,
                "rows": file.rows,
                "bytes": file.size,
                "sha256": file.sha256,
                "as_of": file.as_of.isoformat(),
            }
            for file in written
        ],
    }


def one_source(export: Export) -> bool:
    """Whether one source of each local date and metric is in it, instead of all."""
    return export.format in (*ONE_SOURCE, Export.Format.DAILY)


def removed(export: Export) -> dict[str, str]:
    """Before when the trial keeps no samples, where the export reaches back so far: that they are missing is no gap."""
    cutoff = export.trial.raw_removed_before
    if cutoff is None or (export.start_on and export.start_on > cutoff.date()):
        return {}
    return {"samples_removed_before": cutoff.isoformat()}


def columns(export: Export) -> list[dict[str, str]]:
    """The columns of the data files, with what they mean; those of formats with schemas of their own are not listed."""
    if export.format == Export.Format.DAILY:
        return [{"name": variable.name, "meaning": variable.label} for variable in daily.variables_of(export)]
    named: dict[str, tuple[str, ...]] = {"parquet": COLUMNS, "csv": CsvWriter.NAMES, "ndjson": CsvWriter.NAMES}
    return [{"name": name, "meaning": COLUMN_WORDS[name]} for name in named.get(export.format, ())]


HOW_TO = {
    "parquet": "One file a metric and local date: trial=.../metric=.../date=.../part-0.parquet.\n"
    "DuckDB:  SELECT * FROM read_parquet('**/*.parquet', hive_partitioning = true)\n"
    "Polars:  polars.scan_parquet('**/*.parquet', hive_partitioning=True)",
    "csv": "One file a metric and month, compressed by gzip, or as asked for (.zst: zstd). UTF-8, RFC 4180.",
    "ndjson": "One file a metric and month, one JSON object a line.",
    "daily": "daily.xlsx, daily.csv and daily.parquet hold the same rows: one a participant and local date. The\n"
    "workbook's second sheet, dictionary.csv and dictionary.json say what each column is. CSV is UTF-8 with a byte\n"
    'order mark, which spreadsheets need and most programs skip (R: fileEncoding = "UTF-8-BOM").',
    "fhir": "One HL7 FHIR R5 resource a line (NDJSON), one file a metric and month. A minute of heart rate is one\n"
    "Observation: its mean, and the samples in a component. resources.ndjson: the study, its subjects, the devices.\n"
    "days.ndjson: worn minutes, and expected daily values that are missing. Ids are stable: load it again with PUT.",
    "omh": "One Open mHealth (IEEE 1752.1) data point a line, one file a metric and month. Metrics that no schema\n"
    "takes are listed in manifest.json with the reason.",
}


def readme(export: Export) -> str:
    """For whoever opens the folder in ten years."""
    return (
        f"{export.trial.title} ({export.trial.code})\n"
        f"{export.get_format_display()} export by Wearable Trials {product_version()}, asked for at"
        f" {export.asked_at:%Y-%m-%d %H:%M} UTC.\n\n"
        f"{HOW_TO[export.format]}\n\n"
        f"{_removed_text(export)}"
        f"{_sentence('Sources', ONE_SOURCE_WORDS if one_source(export) else ALL_SOURCES_WORDS)}"
        f"{_sentence('Collection', COLLECTION_WORDS)}\n"
        "manifest.json lists each file with its rows, bytes and SHA-256, the filters, the protocol's versions and the\n"
        "instant whose state the files show. Times are UTC; dates are participants' local dates unless the manifest\n"
        "says otherwise. What is missing is not there or empty: it is never a zero, and nothing is imputed.\n"
        f"{_ranges_text(export)}"
        "Participants go by study ids. Handle the files as your protocol demands.\n"
    )


def _ranges_text(export: Export) -> str:
    """Text on values that no body can have."""
    done: dict[str, str] = {
        Export.Format.DAILY: "are not counted",
        Export.Format.FHIR: "are left out",
        Export.Format.OMH: "are left out",
    }
    return (
        f"Values outside their metric's plausible range {done.get(export.format, 'are marked: plausible is false')}\n"
        f"(version {RANGES_VERSION} of the ranges, used since {RANGES_SINCE}; manifest.json has them).\n"
    )


def _sentence(name: str, text: str) -> str:
    return textwrap.fill(f"{name}: {text}.", 110) + "\n"


def _removed_text(export: Export) -> str:
    cutoff = export.trial.raw_removed_before
    if cutoff is None or not removed(export):
        return ""
    return (
        f"Samples from before {cutoff:%Y-%m-%d %H:%M} UTC are not in these files: "
        "the trial keeps samples for some time\nonly and has deleted them. Days and nights from before are there.\n\n"
    )
