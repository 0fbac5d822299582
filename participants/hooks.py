"""Hooks: functions of apps above this one that are called where something happens to a participant or a trial.

An app registers its functions in `AppConfig.ready()`, so that this one need not know it. They are called in the order
of INSTALLED_APPS.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from participants.after_commit import after_commit
from participants.models import Participant, Trial
from participants.registration import Hook

if TYPE_CHECKING:
    from participants.privacy.subject_access import Section


class ParticipantChanged(Protocol):
    """Hears that a participant was enrolled, paused, withdrawn or given other dates; in that transaction."""

    def __call__(self, participant: Participant, /) -> object: ...


class ParticipantsChanged(Protocol):
    """Hears the same, once of many."""

    def __call__(self, participants: Iterable[Participant], /) -> object: ...


class ParticipantLeft(Protocol):
    """Lets go of a participant who left the trial; once that is stored. It may ask other servers."""

    def __call__(self, participant: Participant, /) -> object: ...


class TrialChanged(Protocol):
    """Hears of a trial's id, once what changed is stored. It may ask other servers."""

    def __call__(self, trial_id: int, /) -> object: ...


class TrialEnds(Protocol):
    """Says how many connections and how many invitations the closing of a trial would end now."""

    def __call__(self, trial: Trial, /) -> tuple[int, int]: ...


class Eraser(Protocol):
    """Deletes what no foreign key leads to when a participant is erased. Returns counts; may be called again."""

    def __call__(self, participant: Participant, /) -> dict[str, int]: ...


class SubjectAccessSection(Protocol):
    """Tells what an app keeps about a participant who asks for it."""

    def __call__(self, participant: Participant, /) -> Iterable[Section]: ...


participant_changed: Hook[ParticipantChanged] = Hook()
participants_changed: Hook[ParticipantsChanged] = Hook()
participant_left: Hook[ParticipantLeft] = Hook()
trial_ends: Hook[TrialEnds] = Hook()
trial_dates_changed: Hook[TrialChanged] = Hook()  # its dates or its status
trial_closed: Hook[TrialChanged] = Hook()
erasers: Hook[Eraser] = Hook()
subject_access_sections: Hook[SubjectAccessSection] = Hook()


def left(participant: Participant) -> None:
    """Tell whoever must let go of a participant, once this transaction is over.

    They may ask other servers: what is wrong there does not undo that the participant left.
    """
    for let_go in participant_left:
        after_commit(_tell, let_go, participant.pk)


def _tell(let_go: ParticipantLeft, participant_id: int) -> None:
    let_go(Participant.objects.get(pk=participant_id))
