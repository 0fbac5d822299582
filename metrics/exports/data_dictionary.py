"""The columns of the daily table, each with what a statistician must know of it: the table's data dictionary."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields

from metrics.models import DayStatus, Exclusion
from metrics.registry import RANGES_SINCE, RANGES_VERSION, Aggregate, Kind, Metric
from metrics.selection.plausible_range import range_text
from participants.models import Protocol
from participants.tables import BOM, harmless

STATUS_BLANK = "never blank"
NO_DATA = "blank: nothing is known of it, or the date is not collected; never to be read as zero"


@dataclass(frozen=True, slots=True)
class Variable:
    """A column. `type`: text, date, datetime (UTC), integer, decimal, yes/no; `unit` is UCUM; `code` LOINC or ours."""

    name: str
    label: str
    type: str
    unit: str = ""
    code: str = ""
    code_system: str = ""
    values: str = ""
    derived: str = ""
    threshold: str = ""
    blank: str = STATUS_BLANK


def of_days(protocols: Sequence[Protocol]) -> list[Variable]:
    """Columns of the participant, the date and the day's status."""
    worn = "; ".join(f"v{p.version}: valid from {p.valid_day_minutes} min" for p in protocols)
    lost = "; ".join(f"v{p.version}: lost after {p.lost_after_hours} h" for p in protocols)
    statuses = " | ".join(status.label for status in DayStatus)
    reasons = " | ".join(reason.label for reason in Exclusion)
    return [
        Variable("trial", "Trial's code", "text"),
        Variable("study_id", "Participant's study id (pseudonym)", "text"),
        Variable("site", "Site's code", "text", blank="blank: no site"),
        Variable("arm", "Arm", "text", blank="blank: no arm is recorded"),
        Variable("date", "Local date", "date", derived="by the device's clock, else by the participant's time zone"),
        Variable(
            "day_status", "Status of the day", "text", values=statuses, threshold=lost,
            derived="valid as soon as the worn minutes reach the threshold; below it pending until a later upload"
            " proves the day complete or its data are lost; excluded days do not count. Never imputed.",
        ),
        Variable("day_reason", "Why the day is excluded", "text", values=reasons, blank="blank: it is not excluded"),
        Variable(
            "valid", "Valid day", "yes/no", values="true | false", threshold=worn,
            derived="false where the day is invalid or lost", blank="blank: pending or excluded, so it does not count",
        ),
        Variable(
            "protocol_version", "Protocol version by which it was evaluated", "integer", blank="blank: not evaluated"
        ),
        Variable("known_at", "Since when the status is what it is", "datetime", blank="blank: not evaluated"),
        Variable(
            "upload", "What has arrived", "text", values="received | partial | awaited | lost | none",
            derived="received: data came and the day is decided; partial: data came and more may; awaited: none yet;"
            " lost: none can come any more; none: none came for a day that does not count",
        ),
        Variable(
            "day_minutes", "Length of the local day", "integer", "min",
            derived="1380, 1500 where clocks change; other lengths on a journey",
        ),
        Variable(
            "worn_minutes", "Worn minutes", "integer", "min", threshold=worn,
            derived="minutes with at least one heart rate that counts, from any source", blank=NO_DATA,
        ),
        Variable(
            "fault_minutes", "Minutes missing through a fault of the platform or the vendor", "integer", "min",
            derived="from connection and request history", blank="blank: the date is not collected",
        ),
        Variable(
            "asleep_minutes", "Time asleep in the main sleep that ended on this date", "integer", "min", "93832-4",
            "http://loinc.org", blank="blank: no main sleep is known",
            derived="from the staging of the source whose night counts: of several the first in the order of the"
            " protocol in force on the date, else the one with most minutes asleep",
        ),
        Variable(
            "last_sample_at", "Newest sample of the day", "datetime", blank="blank: no sample",
            derived="one that does not count too: the device handed its data on",
        ),
    ]  # fmt: skip


def of_metric(metric: Metric) -> list[Variable]:
    """The day's values of a metric, and of what is measured through the day how many minutes have any that count."""
    counts = f"counts: {range_text(metric)} (ranges version {RANGES_VERSION}, since {RANGES_SINCE})"

    def one(suffix: str, label: str, derived: str) -> Variable:
        name, label_text = f"{metric.code}{suffix}", f"{metric.name}{label}"
        return Variable(
            name, label_text, "decimal", metric.unit, metric.concept, metric.system, derived=derived, threshold=counts,
            blank=NO_DATA,
        )  # fmt: skip

    of = "of the source that counts on the date; sources are never added"
    source = Variable(
        f"{metric.code}_source", f"{metric.name}: source that counts on the date", "text",
        derived="provider, platform and device model; of several the first in the order of the protocol in force on"
        " the date, else the one that covers most minutes of it, then the one with most samples, then the lowest id",
        blank="blank: no data",
    )  # fmt: skip
    if metric.kind is Kind.DAILY:
        return [one("", "", f"the source's own daily value; {of}"), source]
    minutes = Variable(
        f"{metric.code}_minutes", f"{metric.name}: minutes with data", "integer", "min",
        derived=f"distinct minutes with a sample that counts; {of}", threshold=counts, blank="blank: no data",
    )  # fmt: skip
    if metric.aggregate is Aggregate.SUM:
        return [one("", ", sum of the day", f"sum of the day's samples that count; {of}"), minutes, source]
    return [
        one("_mean", ", mean", f"mean of the day's samples that count; {of}"),
        one("_min", ", lowest", f"lowest of the day's samples that count; {of}"),
        one("_max", ", highest", f"highest of the day's samples that count; {of}"),
        minutes,
        source,
    ]


def as_rows(variables: Iterable[Variable]) -> list[tuple[str, ...]]:
    """The dictionary as rows, a variable each, under their heading."""
    return [tuple(field.name for field in fields(Variable)), *(astuple(variable) for variable in variables)]


def as_csv(variables: Iterable[Variable]) -> bytes:
    """The dictionary as a table that a spreadsheet opens."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([harmless(field) for field in row] for row in as_rows(variables))
    return (BOM + out.getvalue()).encode()
