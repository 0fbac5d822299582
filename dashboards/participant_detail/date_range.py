"""Which days a participant's page shows: presets, free dates, and the steps to the days before and after."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError

from participants.team_texts import gettext
from participants.user_input import EARLIEST, LATEST, day_of, midnight

PRESETS = {"day": 1, "week": 7, "month": 30, "quarter": 90}
NAMES = {
    "day": gettext("Day"),
    "week": gettext("Week"),
    "month": gettext("Month"),
    "quarter": gettext("90 days"),
    "trial": gettext("Trial"),
}
DEFAULT = "week"
# Ten years: longer than any trial, short enough that a typing error asks for nothing absurd.
LONGEST = 3653


class BadRange(ValueError):
    """The dates cannot be used. The message is fit to show; `parameter` names the culprit."""

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter


@dataclass(frozen=True, slots=True)
class DayRange:
    """Local days of a participant, both ends included. `preset` is the preset it came from, if any."""

    first: dt.date
    last: dt.date
    preset: str = ""

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def instants(self, zone: ZoneInfo) -> tuple[dt.datetime, dt.datetime]:
        """From the first day's midnight to the midnight after the last, aware, in the participant's zone."""
        return midnight(self.first, zone), midnight(self.last + dt.timedelta(days=1), zone)

    def shifted(self, direction: int) -> DayRange:
        """The same number of days just before (-1) or just after (+1)."""
        step = dt.timedelta(days=self.days * direction)
        return DayRange(self.first + step, self.last + step, self.preset if self.preset in PRESETS else "")

    def query(self) -> dict[str, str]:
        """The parameters that lead back here."""
        if self.preset in PRESETS:
            return {"range": self.preset, "to": self.last.isoformat()}
        return {"from": self.first.isoformat(), "to": self.last.isoformat()}


def parse_date(parameter: str, text: str) -> dt.date:
    """A date as 2026-11-23. Raises BadRange."""
    try:
        return day_of(text)
    except ValidationError as refused:
        raise BadRange(
            parameter, gettext("{text!r} is none. {message}").format(text=text[:20], message=refused.message)
        ) from None


def anchor(last_on: dt.date | None, today: dt.date) -> dt.date:
    """Where presets end: today, unless the data stop more than a week ago; then the last day with data."""
    return last_on if last_on is not None and last_on < today - dt.timedelta(days=7) else today


def chosen(query: Mapping[str, str], *, end: dt.date, trial_first: dt.date) -> DayRange:
    """The range a query asks for: `range` with an optional `to`, or `from` and `to`; a week if it asks for none.

    `end`: where presets end if `to` is missing. `trial_first`: first day of the preset "trial". Raises BadRange.
    """
    preset, first, last = query.get("range", ""), query.get("from", ""), query.get("to", "")
    if preset and preset not in NAMES:
        raise BadRange("range", gettext("{preset!r} is none of {names}.").format(preset=preset, names=", ".join(NAMES)))
    to = parse_date("to", last) if last else end
    if first and not preset:
        since = parse_date("from", first)
        if since > to:
            raise BadRange("from", gettext("The first day comes after the last."))
        if (to - since).days >= LONGEST:
            raise BadRange("from", gettext("That is more than ten years."))
        return DayRange(since, to)
    preset = preset or DEFAULT
    if preset == "trial":
        return DayRange(min(trial_first, to), to, preset)
    return DayRange(to - dt.timedelta(days=PRESETS[preset] - 1), to, preset)


def parse_instant(parameter: str, text: str, zone: ZoneInfo, *, closing: bool) -> dt.datetime:
    """A local date (its first instant, or with `closing` the first after it) or an ISO instant with an offset.

    An instant without an offset is taken as local time of `zone`. Raises BadRange.
    """
    if not text:
        raise BadRange(
            parameter,
            gettext("{parameter} is missing: give a date such as 2026-11-23 or an ISO instant.").format(
                parameter=parameter
            ),
        )
    if len(text) == len("2026-11-23"):
        date = parse_date(parameter, text)
        return midnight(date + dt.timedelta(days=1) if closing else date, zone)
    try:
        # A plus sign arrives as a space when the caller did not encode it.
        moment = dt.datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise BadRange(
            parameter, gettext("{text!r} is neither a date such as 2026-11-23 nor an ISO instant.").format(text=text)
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    if not EARLIEST <= moment.date() <= LATEST:
        raise BadRange(
            parameter,
            gettext("{text} lies outside {first} to {last}.").format(
                text=text[:40], first=EARLIEST.year, last=LATEST.year
            ),
        )
    return moment
