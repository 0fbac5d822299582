"""A participant's last fourteen days as a strip of small marks, and the same as text."""

from __future__ import annotations

import datetime as dt
from collections import Counter

from django.utils.safestring import SafeString, mark_safe

from metrics.models import ParticipantStatusSummary
from metrics.monitoring import day_codes
from participants.team_texts import gettext

DAYS = 14
STEP, WIDTH = 15, 13
# Day code -> (symbol of the sprite, label).
MARKS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(day_codes.VALID, ("m-valid", "valid")),
    day_codes.INVALID: ("m-invalid", "invalid"),
    day_codes.LOST: ("m-lost", "lost"),
    day_codes.PENDING: ("m-pending", "pending"),
    day_codes.EXCLUDED: ("m-excluded", "excluded"),
    day_codes.FAULT: ("m-fault", gettext("not counted because of a technical problem")),
}
ORDER = ("valid", "invalid", "lost", "pending", "excluded", MARKS[day_codes.FAULT][1])


def recent_codes(summary: ParticipantStatusSummary, until: dt.date, days: int = DAYS) -> str:
    """Day codes of the days that end with `until`, one each; spaces where there is none.

    Days after the last evaluation are pending, unless the participant is excused: nothing is known of them yet.
    """
    if summary.day_codes_from is None or summary.day_codes_until is None:
        return day_codes.NO_DAY * days
    after = (until - summary.day_codes_until).days
    tail = (day_codes.EXCLUDED if summary.excused else day_codes.PENDING) * max(after, 0)
    known = summary.day_codes[: len(summary.day_codes) + min(after, 0)] + tail
    return known[-days:].rjust(days, day_codes.NO_DAY)


def counts(of: str) -> Counter[str]:
    """Counts of the days that are valid, invalid, ...: by label."""
    return Counter(MARKS[code][1] for code in of if code in MARKS)


def counts_text(of: str) -> str:
    """Counts as text: 4 valid, 1 invalid, 7 pending."""
    counted = counts(of)
    return ", ".join(f"{counted[label]} {label}" for label in ORDER if counted[label]) or gettext("none monitored")


def weekends(until: dt.date) -> SafeString:
    """Marks under Saturdays and Sundays."""
    marks = (
        f'<rect class="m-weekend" x="{i * STEP + 1}" y="22" width="11" height="1.5"/>'
        for i in range(DAYS)
        if (until - dt.timedelta(days=DAYS - 1 - i)).weekday() >= 5
    )
    return mark_safe("".join(marks))  # noqa: S308 - numbers alone


def strip(of: str, under: SafeString) -> SafeString:
    """The picture: a mark for each day, with `under` below. Its label reads as counts."""
    uses = "".join(
        f'<use href="#{MARKS[code][0]}" x="{i * STEP}" width="{WIDTH}" height="20"/>'
        for i, code in enumerate(of)
        if code in MARKS
    )
    label = gettext("Last {days} days: {of}").format(days=DAYS, of=counts_text(of))
    return mark_safe(  # noqa: S308 - constants and numbers alone
        f'<svg class="strip" viewBox="0 0 209 24" role="img" aria-label="{label}">{uses}{under}</svg>'
    )
