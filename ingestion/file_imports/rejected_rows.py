"""Reasons why rows of a file are rejected, and whether each can pass. Nobody else decides this.

A file of which rows were turned away for a reason that can pass is read again when it is offered again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from metrics.batch import Refusal
from metrics.writing.collection_filter import CLOSED, OUTSIDE

# Of a participant; said after "participant" and the label.
NOT_ENROLLED = "is not enrolled in this trial"
CANNOT_BE_ENROLLED = "cannot be enrolled"  # the trial is closed, say
WITHDRAWN = "has withdrawn: their record does not change any more"
SEVERAL = "is enrolled several times, in other upper and lower case: write it as the one who is meant"
ERASED = "was erased"
NO_STUDY_ID = "is no valid study id"

CAN_PASS = (NOT_ENROLLED, CANNOT_BE_ENROLLED, WITHDRAWN, SEVERAL, OUTSIDE, CLOSED, Refusal.FUTURE.text)
_CAN_PASS = re.compile("|".join(map(re.escape, CAN_PASS)))


def can_pass(reason: str) -> bool:
    """Whether rows turned away for this reason may be taken another time, as they are."""
    return _CAN_PASS.search(reason) is not None


def passing(rejected: Mapping[str, int]) -> int:
    """Number of the rejected rows (by reason) that may be taken another time."""
    return sum(count for reason, count in rejected.items() if can_pass(reason))
