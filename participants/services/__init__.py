"""Services that change trials, participants and members, with their rules. Admin, pages, API and commands call these.

`trials`: trials, their sites. `participation`: enrolment, pauses, the end. `team`: who works in a trial. Each change is
written to the audit trail by the service itself. Bad values raise django's ValidationError, by field where one is to
blame; what the state forbids raises ValueError or EnrolmentError, with a message that is fit to show.
"""

from participants.services.participation import (
    EnrolmentError,
    changed_together,
    participant_begin,
    participant_changed,
    participant_complete,
    participant_enrol,
    participant_withdraw,
    pause_begin,
    pause_end,
)
from participants.services.records import (
    ParticipantChanges,
    PauseChanges,
    participant_update,
    pause_change,
    pause_remove,
)
from participants.services.team import MembershipChanges, membership_change, membership_end, membership_grant
from participants.services.trials import (
    SiteChanges,
    TrialChanges,
    protocol_first,
    protocol_revise,
    site_create,
    site_remove,
    site_update,
    trial_create,
    trial_update,
)

__all__ = [
    "EnrolmentError",
    "MembershipChanges",
    "ParticipantChanges",
    "PauseChanges",
    "SiteChanges",
    "TrialChanges",
    "changed_together",
    "membership_change",
    "membership_end",
    "membership_grant",
    "participant_begin",
    "participant_changed",
    "participant_complete",
    "participant_enrol",
    "participant_update",
    "participant_withdraw",
    "pause_begin",
    "pause_change",
    "pause_end",
    "pause_remove",
    "protocol_first",
    "protocol_revise",
    "site_create",
    "site_remove",
    "site_update",
    "trial_create",
    "trial_update",
]
