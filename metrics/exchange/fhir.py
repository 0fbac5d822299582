"""HL7 FHIR R5: samples as Observations, one a line.

A value of an interval or a day, or a single sample, is an Observation with a valueQuantity. Of metrics finer than a
minute (heart rate every few seconds) a *minute* is one: its mean is the valueQuantity, as the vital signs' profiles
and practically every reader expect, and the samples themselves, with their offsets from the minute's start, stand in
a component as SampledData, so nothing is lost and a day is some 1,440 resources instead of 17,000. SampledData as the
only value was not chosen: the heart rate profile, which validators apply by the code, forbids it.

Ids follow from whom, what and when: exported again, an Observation replaces itself. Subject and device are logical
references by identifier, so a server takes the lines in any order and learns no name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import numpy as np

from metrics.batch import MICROSECOND, SourceKey
from metrics.exchange.mappings import CATEGORIES, codings
from metrics.exchange.series import URN, Series, day_ends, ids, numbers, source_code, source_name, stamps, texts
from metrics.registry import Kind, Metric

UCUM = "http://unitsofmeasure.org"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
STUDY = "http://hl7.org/fhir/StructureDefinition/workflow-researchStudy"
# How a server is told that no person was measured: HL7's own label for test data.
TEST_DATA = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}
IMPUTED = {"system": f"{URN}:origin", "code": "imputed"}
MINUTE = 60 * MICROSECOND


def fhir_lines(series: Series) -> Iterator[bytes]:
    """The Observations of a series' values that count, ascending in time, each a line with its line feed.

    Empty where there are none.
    """
    series = series.counted()
    if not len(series.time):
        return iter(())
    return _minutes(series) if series.metric.subminute else _single(series)


def about(trial: str, study_id: str, category: str, codes: list[dict[str, str]], name: str) -> dict[str, Any]:
    """Beginning of every Observation of a participant: status, category, code, subject, study."""
    return {
        "status": "final",
        "category": [{"coding": [{"system": CATEGORY, "code": category}]}],
        "code": {"coding": codes, "text": name},
        "subject": subject(trial, study_id),
        "extension": [{"url": STUDY, "valueReference": study(trial)}],
    }


def subject(trial: str, study_id: str) -> dict[str, Any]:
    """A participant by their study id, which is unique within the trial that the system names."""
    return {
        "type": "Patient",
        "identifier": {"system": f"{URN}:participant:{quote(trial, safe='')}", "value": study_id},
    }


def study(trial: str) -> dict[str, Any]:
    return {"type": "ResearchStudy", "identifier": {"system": f"{URN}:trial", "value": trial}}


def device(source: SourceKey) -> dict[str, Any]:
    return {
        "type": "Device",
        "identifier": {"system": f"{URN}:source", "value": source_code(source)},
        "display": source_name(source),
    }


def marks(source: SourceKey, imputed: bool = False) -> dict[str, Any]:
    """The `meta` that says that data are made up or filled in; nothing where they were measured."""
    fields: dict[str, Any] = {}
    if source.synthetic:
        fields["security"] = [TEST_DATA]
    if imputed:
        fields["tag"] = [IMPUTED]
    return {"meta": fields} if fields else {}


def quantity(metric: Metric) -> str:
    """A Quantity of the metric as JSON, with %s for its number."""
    unit = texts(metric.unit).replace("%", "%%")
    label = texts(metric.label).replace("%", "%%")
    return '{"value":%s,"unit":' + label + f',"system":"{UCUM}","code":{unit}}}'


def _template(series: Series) -> str:
    """An Observation's text up to what differs from one to the next, with %s for its id."""
    metric = series.metric
    fields = about(series.trial, series.study_id, CATEGORIES[metric.code], codings(metric), metric.name)
    fields |= {"device": device(series.source)}
    if series.imputed:
        fields["method"] = {"text": "imputed: filled in by a statistical method"}
    fields = marks(series.source, series.imputed) | fields
    return '{"resourceType":"Observation","id":"%s",' + texts(fields)[1:-1].replace("%", "%%")


def _single(series: Series) -> Iterator[bytes]:
    time, made = series.time, ids("Observation/" + series.identity)
    starts = stamps(time, series.calendar)
    whens = _whens(series, starts)
    known = np.isfinite(series.value)
    values = numbers(np.where(known, series.value, 0.0))
    begin = _template(series) + ",%s,"
    value = begin + '"valueQuantity":' + quantity(series.metric) + "}\n"
    absent = begin + f'"dataAbsentReason":{{"coding":[{{"system":"{ABSENT}","code":"unknown"}}]}}}}\n'
    for at, when, number, is_known in zip(time.tolist(), whens, values, known.tolist(), strict=True):
        line = value % (made(at), when, number) if is_known else absent % (made(at), when)
        yield line.encode()


def _whens(series: Series, starts: list[str]) -> list[str]:
    """`effectivePeriod` of days and intervals, `effectiveDateTime` of instants."""
    if series.metric.kind is Kind.DAILY:
        ends = day_ends(series.time, series.calendar)
    else:
        ends = series.time + np.maximum(series.seconds, 0).astype(np.int64) * MICROSECOND
    pairs = zip(starts, stamps(ends, series.calendar), (ends > series.time).tolist(), strict=True)
    return [
        f'"effectivePeriod":{{"start":"{start}","end":"{end}"}}' if lasts else f'"effectiveDateTime":"{start}"'
        for start, end, lasts in pairs
    ]


def _minutes(series: Series) -> Iterator[bytes]:
    known = np.isfinite(series.value)
    time, value = series.time[known], series.value[known]
    if not len(time):
        return
    minute = time // MINUTE * MINUTE
    firsts = np.flatnonzero(np.append(True, minute[1:] != minute[:-1]))
    lasts = np.append(firsts[1:], len(time))
    begins = minute[firsts]
    means = numbers(np.round(np.add.reduceat(value, firsts) / (lasts - firsts), 2))
    samples, offsets = numbers(value), numbers((time - minute) / 1000)
    starts, ends = stamps(begins, series.calendar), stamps(begins + MINUTE, series.calendar)
    template, made = _minute_template(series), ids("Observation/" + series.identity + "/minute")
    rows = zip(begins.tolist(), starts, ends, means, firsts.tolist(), lasts.tolist(), strict=True)
    for at, start, end, mean, first, last in rows:
        within = slice(first, last)
        yield (template % (made(at), start, end, mean, " ".join(offsets[within]), " ".join(samples[within]))).encode()


def _minute_template(series: Series) -> str:
    code = texts({"coding": codings(series.metric), "text": series.metric.name + ", samples"}).replace("%", "%%")
    return (
        _template(series)
        + ',"effectivePeriod":{"start":"%s","end":"%s"},"valueQuantity":'
        + quantity(series.metric)
        + ',"component":[{"code":'
        + code
        + ',"valueSampledData":{"origin":'
        + quantity(series.metric) % 0
        + ',"intervalUnit":"ms","dimensions":1,"offsets":"%s","data":"%s"}}]}\n'
    )
