"""User input of people and programs: days within bounds, whole numbers, text, e-mail addresses. Every page, form, API
field, model field and command asks here; nothing else reads a request's address or form (tests/test_architecture.py).
"""

from __future__ import annotations

import argparse
import datetime as dt
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.http import HttpRequest, QueryDict

# No wearable was worn before. A slip of the year must not make hundreds of thousands of days, nor an instant that
# neither Python nor a time zone can hold.
EARLIEST, LATEST = dt.date(2000, 1, 1), dt.date(2099, 12, 31)
# The same for instants: the days of every zone.
FIRST_INSTANT = dt.datetime(1999, 12, 31, tzinfo=dt.UTC)
LAST_INSTANT = dt.datetime(2100, 1, 2, tzinfo=dt.UTC)
ONE_DAY = dt.timedelta(days=1)
OUT_OF_BOUNDS = f"Give a day from {EARLIEST.year} to {LATEST.year}."
NO_DAY = f"Give the day as a date such as 2026-11-23, from {EARLIEST.year} to {LATEST.year}."
MOST_NUMBER = 2**63 - 1
LONGEST = 300

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")
_NUMBER = re.compile(r"[0-9]{1,19}")
# C0, DEL, C1, and what Unicode calls line and paragraph separators: they end a header, a line of a log or of a file.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")


def check_day(day: dt.date) -> None:
    """A validator of dates. Raises ValidationError outside EARLIEST to LATEST."""
    if not EARLIEST <= day <= LATEST:
        raise ValidationError(OUT_OF_BOUNDS, code="day")


def check_instant(at: dt.datetime) -> None:
    """A validator of instants, which may be of any zone. Raises ValidationError outside the same bounds."""
    if not FIRST_INSTANT <= at <= LAST_INSTANT:
        raise ValidationError(OUT_OF_BOUNDS, code="day")


def check_line(text: str) -> None:
    """A validator of text that is one line. Raises ValidationError for a line break or another control character."""
    if _CONTROL.search(text):
        raise ValidationError("Write it on one line, without control characters.", code="line")


def canonical_address(address: str) -> str:
    """An e-mail address in the one form in which accounts' are stored, looked up and counted; the same again: itself.

    Without space around it, in compatibility form (NFKC) and small letters. Databases and programs fold letters
    differently: to PostgreSQL the long s (U+017F) and s, the dotless i (U+0131) and i are equal where case does not
    matter, to Python they are not. So no lookup ignores case: both sides are canonical and compared as they are.
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", address).strip().lower())


def day_of(text: str) -> dt.date:
    """A date written 2026-11-23. Raises ValidationError."""
    try:
        day = dt.date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not EARLIEST <= day <= LATEST:
        raise ValidationError(NO_DAY, code="day")
    return day


def day_argument(text: str) -> dt.date:
    """Date from a command's argument, written 2026-11-23. Raises argparse's ArgumentTypeError."""
    try:
        return day_of(text)
    except ValidationError as refused:
        raise argparse.ArgumentTypeError(refused.message) from None


def bounded(day: dt.date) -> dt.date:
    """A date, or the nearest within the bounds: rows from before there were bounds are reckoned with like this."""
    return min(max(day, EARLIEST), LATEST)


def midnight(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    """The first instant of a local date, in its zone; of a date outside the bounds, that of the nearest within them.

    Rows from before there were bounds are shown like this, rather than not at all.
    """
    return dt.datetime.combine(min(max(day, EARLIEST), LATEST + ONE_DAY), dt.time(), zone)


def number_of(text: str, low: int = 0, high: int = MOST_NUMBER) -> int | None:
    """A whole number in ASCII digits from low to high; None for anything else."""
    if not _NUMBER.fullmatch(text) or not low <= int(text) <= high:
        return None
    return int(text)


def line_of(text: str, longest: int = 1000) -> str:
    """Text as one line, cut: control characters become blanks. Also for what was stored before it was checked."""
    return _CONTROL.sub(" ", text).strip()[:longest]


class Entered(Mapping[str, str]):
    """Values of a query string or a form, by name, so that none can break its reader.

    As a mapping, and by `text`, a value is one line: control characters (NUL too) became blanks, blanks around it are
    gone, and it is cut. Of several values of one name the last counts.
    """

    def __init__(self, given: QueryDict | Mapping[str, str]) -> None:
        self._given = given

    def __getitem__(self, name: str) -> str:
        return line_of(str(self._given[name] or ""), LONGEST)

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)

    def text(self, name: str, longest: int = 200) -> str:
        """Value as one line; empty where there is none."""
        return line_of(self._given.get(name) or "", longest)

    def lines(self, name: str, longest: int, default: str = "") -> str:
        """Text of several lines, cut at `longest`; control characters but tab and line breaks are left out."""
        return _CONTROL_BUT_LINES.sub("", self._given.get(name, default) or "")[:longest]

    def texts(self, name: str, most: int, longest: int = 200) -> list[str]:
        """All values of one name, the first `most`, each as `text`."""
        return [line_of(value, longest) for value in self._all(name)[:most]]

    def number(self, name: str, low: int = 0, high: int = MOST_NUMBER) -> int | None:
        """A whole number from low to high; None where there is none such."""
        return number_of(self.text(name), low, high)

    def numbers(self, name: str, most: int) -> list[int]:
        """The whole numbers among all values of one name, the first `most`."""
        numbers = (number_of(text) for text in self.texts(name, most))
        return [number for number in numbers if number is not None]

    def day(self, name: str) -> dt.date:
        """A date. Raises ValidationError that says what to give, also where there is none."""
        return day_of(self.text(name))

    def time(self, name: str) -> dt.time | None:
        """A time of the day, to the minute: 21:00; None where there is none. Raises ValidationError."""
        text = self.text(name)
        if not text:
            return None
        if not _TIME.fullmatch(text):
            raise ValidationError("Give the time of day as 21:00.", code="time")
        return dt.time(int(text[:2]), int(text[3:5]))

    def _all(self, name: str) -> Sequence[str]:
        if isinstance(self._given, QueryDict):
            return self._given.getlist(name)
        return [self._given[name]] if name in self._given else []

    @property
    def storable(self) -> bool:
        """Whether PostgreSQL can hold all names and values: no text of its has a NUL."""
        return not any("\0" in text for name in self._given for text in (name, *self._all(name)))

    @property
    def form(self) -> Any:
        """Data as Django's forms take them: their fields check each value themselves."""
        return self._given


def query_params(request: HttpRequest) -> Entered:
    """The parameters of a request's query string."""
    return Entered(request.GET)


def form_data(request: HttpRequest) -> Entered:
    """The fields of a request's form."""
    return Entered(request.POST)
