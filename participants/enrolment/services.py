"""Enrolment of everybody in a checked file, or nobody."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from participants import audit
from participants.enrolment.parsing import Sheet
from participants.enrolment.validation import Preview, RowCheck, check
from participants.models import Participant, Trial
from participants.privacy import contacts
from participants.services import changed_together, participant_enrol
from participants.services.changes import locked


class NotClean(Exception):
    """Some rows cannot be taken, so none was. `preview` says which and why."""

    def __init__(self, trial: Trial, preview: Preview) -> None:
        super().__init__("Some rows cannot be taken.")
        self.trial, self.preview = trial, preview


@dataclass(frozen=True, slots=True)
class Enrolled:
    """Result of a file. `known`: how many were enrolled already, as the file says."""

    participants: list[Participant]
    known: int


@transaction.atomic
def enrol_all(trial: Trial, sheet: Sheet, *, may_contact: bool) -> Enrolled:
    """Enrol those who are not enrolled yet, with their contact data. The same file again enrols nobody.

    The rows are checked anew: things may have changed since somebody saw them. Raises NotClean, and then nothing was
    written; EnrolmentError and django's ValidationError as participant_enrol does.
    """
    trial = locked(trial)
    preview = check(trial, sheet, may_contact=may_contact)
    if not preview.clean:
        raise NotClean(trial, preview)
    participants = []
    with changed_together():
        for row in preview.rows:
            if row.known:
                continue
            participant = participant_enrol(trial=trial, **row.values)
            if row.contact:
                contacts.contact_store(participant, **row.contact)
            participants.append(participant)
    known = preview.counts[RowCheck.KNOWN]
    if participants:
        audit.record(
            "participant.enrol_file", trial=trial, new={"enrolled": len(participants), "enrolled_already": known}
        )
    return Enrolled(participants, known)
