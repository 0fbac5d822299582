"""What follows when somebody leaves a trial, in rooms that know more than this one: their connections end."""

from __future__ import annotations

from django.conf import settings
from django.utils.module_loading import import_string

from participants.after_commit import after_commit
from participants.models import Participant


def left(participant: Participant) -> None:
    """Tell whoever must let go of a participant (settings.PARTICIPANT_LEFT), once this transaction is over.

    They may ask other servers: what is wrong there does not undo that the participant left.
    """
    for path in settings.PARTICIPANT_LEFT:
        after_commit(_tell, path, participant.pk)


def _tell(path: str, participant_id: int) -> None:
    import_string(path)(Participant.objects.get(pk=participant_id))
