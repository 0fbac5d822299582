"""Enrolment by file: parse it, check every row, then enrol all of them or nobody."""

from participants.enrolment.parsing import (
    COLUMNS,
    CONTACT_COLUMNS,
    LIMIT_BYTES,
    Sheet,
    Unreadable,
    decoded,
    read,
    template,
)
from participants.enrolment.services import Enrolled, NotClean, enrol_all
from participants.enrolment.validation import Preview, Row, RowCheck, check

__all__ = [
    "COLUMNS",
    "CONTACT_COLUMNS",
    "LIMIT_BYTES",
    "Enrolled",
    "NotClean",
    "Preview",
    "Row",
    "RowCheck",
    "Sheet",
    "Unreadable",
    "check",
    "decoded",
    "enrol_all",
    "read",
    "template",
]
