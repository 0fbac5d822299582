"""FHIR resources that the Observations of an export refer to: the study, its subjects, the devices.

With this file beside them the Observations stand on their own: whoever loads both knows the trial, who belongs to it
(by study id alone), when each was monitored, and what measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from metrics.batch import SourceKey
from metrics.exchange.fhir import device, marks, study, subject
from metrics.exchange.series import ids, source_code
from participants.models import Participant, Trial

# Of FHIR's codes for how a study stands, by ours.
STUDY_STATE = {
    Trial.Status.DRAFT: "not-yet-recruiting",
    Trial.Status.RECRUITING: "recruiting",
    Trial.Status.RUNNING: "active-but-not-recruiting",
    Trial.Status.CLOSED: "completed",
}
PROGRESS = "http://terminology.hl7.org/CodeSystem/research-subject-state"
STATE = "http://hl7.org/fhir/research-study-status"
SUBJECT_STATE = {
    Participant.Status.INVITED: "candidate",
    Participant.Status.ACTIVE: "on-study",
    Participant.Status.PAUSED: "on-study",
    Participant.Status.COMPLETED: "off-study",
    Participant.Status.WITHDRAWN: "withdrawn",
}


def resource_lines(trial: Trial, people: Iterable[Participant], sources: Iterable[SourceKey]) -> Iterator[bytes]:
    """ResearchStudy, then a ResearchSubject for each participant and a Device for each source, one a line.

    Of an erased participant there is none.
    """
    yield _line("ResearchStudy", trial.code, _study(trial))
    for participant in people:
        if participant.status in SUBJECT_STATE:
            yield _line("ResearchSubject", f"{trial.code}/{participant.study_id}", _subject(trial, participant))
    for source in sources:
        yield _line("Device", source_code(source), _device(source))


def _line(kind: str, name: str, fields: dict[str, Any]) -> bytes:
    resource = {"resourceType": kind, "id": ids(kind)(name), **fields}
    return orjson.dumps(resource, option=orjson.OPT_APPEND_NEWLINE)


def _study(trial: Trial) -> dict[str, Any]:
    period = {"start": trial.starts_on, "end": trial.ends_on}
    return {
        "identifier": [study(trial.code)["identifier"]],
        "name": trial.code,
        "title": trial.title,
        "status": "draft" if trial.status == Trial.Status.DRAFT else "active",
        "progressStatus": [{"state": {"coding": [{"system": STATE, "code": STUDY_STATE[Trial.Status(trial.status)]}]}}],
        **_period(period),
    }


def _subject(trial: Trial, participant: Participant) -> dict[str, Any]:
    identifier = subject(trial.code, participant.study_id)
    code = SUBJECT_STATE[Participant.Status(participant.status)]
    return {
        "identifier": [identifier["identifier"]],
        "status": "active",
        "progress": [{"subjectState": {"coding": [{"system": PROGRESS, "code": code}]}}],
        **_period({"start": participant.monitoring_starts_on, "end": participant.monitoring_ends_on}),
        "study": study(trial.code),
        "subject": identifier,
    }


def _period(period: dict[str, Any]) -> dict[str, Any]:
    known = {name: date.isoformat() for name, date in period.items() if date}
    return {"period": known} if known else {}


def _device(source: SourceKey) -> dict[str, Any]:
    reference = device(source)
    resource: dict[str, Any] = {
        **marks(source),
        "identifier": [reference["identifier"]],
        "displayName": reference["display"],
    }
    if source.device_model:
        resource["modelNumber"] = source.device_model
    return resource
