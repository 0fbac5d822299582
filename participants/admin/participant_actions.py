"""Actions on participants that staff choose in the list or on one participant's page. Each asks for confirmation."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from participants import services
from participants.admin.base import ConfirmedAction, DayForm, ReasonForm
from participants.forms import DayField
from participants.models import Participant

Status = Participant.Status
TAKING_PART = (Status.INVITED, Status.ACTIVE, Status.PAUSED)


def _taking_part(row: Participant) -> str:
    return "" if row.status in TAKING_PART else f"is {row.get_status_display()}"


class PauseDays(DayForm):
    until = DayField(
        label="Last day",
        required=False,
        help_text="Empty: until the pause is ended.",
    )
    field_order = ("on", "until", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["on"].label = "First day"


class Begin(ConfirmedAction):
    title, button, done = "Begin without a connection", "Begin", "begun"
    says = "They take part by files: from invited to active. Who connects a device becomes active by that."
    form = ReasonForm

    def fit(self, row: Participant) -> str:
        return "" if row.status == Status.INVITED else f"is {row.get_status_display()}"

    def do(self, request: HttpRequest, row: Participant, cleaned: dict[str, Any]) -> None:
        services.participant_begin(row, reason=cleaned["reason"])


class PauseThem(ConfirmedAction):
    title, button, done = "Pause", "Pause", "paused"
    says = (
        "Days of a pause do not count, neither for nor against them. Their data are still collected, unless the "
        "trial's protocol says otherwise."
    )
    form = PauseDays

    def fit(self, row: Participant) -> str:
        return _taking_part(row)

    def do(self, request: HttpRequest, row: Participant, cleaned: dict[str, Any]) -> None:
        services.pause_begin(row, starts_on=cleaned["on"], ends_on=cleaned["until"], reason=cleaned["reason"])


class LastDay(DayForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["on"].label = "Last day"


class EndPause(ConfirmedAction):
    title, button, done = "End the pause", "End the pause", "pauses ended"
    says = "Ends the pause that has no last day yet; the days after it count again."
    form = LastDay

    def fit(self, row: Participant) -> str:
        return _taking_part(row)

    def do(self, request: HttpRequest, row: Participant, cleaned: dict[str, Any]) -> None:
        services.pause_end(row, ends_on=cleaned["on"], reason=cleaned["reason"])


class Complete(ConfirmedAction):
    title, button, done = "Complete", "Complete", "completed"
    says = (
        "Their part is done. The day is the last that counts; an earlier end of monitoring stays. Nothing is fetched "
        "any more."
    )
    form = LastDay

    def fit(self, row: Participant) -> str:
        return _taking_part(row)

    def do(self, request: HttpRequest, row: Participant, cleaned: dict[str, Any]) -> None:
        services.participant_complete(row, on=cleaned["on"], reason=cleaned["reason"])


class FirstDayOut(DayForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["on"].label = "First day that does not count"


class Withdraw(ConfirmedAction):
    title, button, done, severe = "Withdraw", "Withdraw", "withdrawn", True
    says = (
        "They leave the trial. Nothing is fetched from this moment on, the access to their accounts is given back and "
        "their data are frozen. What came before is kept. This cannot be undone here."
    )
    form = FirstDayOut

    def fit(self, row: Participant) -> str:
        return "" if row.status in (*TAKING_PART, Status.COMPLETED) else f"is {row.get_status_display()}"

    def do(self, request: HttpRequest, row: Participant, cleaned: dict[str, Any]) -> None:
        services.participant_withdraw(row, on=cleaned["on"], reason=cleaned["reason"])


ACTS: tuple[type[ConfirmedAction], ...] = (Begin, PauseThem, EndPause, Complete, Withdraw)
