"""Choice of the source whose nights count: of each participant and local date of waking those of one source, by the
rule of source_choice.py.

A source that recorded a main sleep comes before those that recorded naps alone, whatever the protocol prefers: a nap
would hide the night. Then the protocol in force on the date decides, then the most minutes asleep, in the main sleep
where there is one, then the lowest id. Naps of the date are taken from the same source.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from django.db.models import Exists, OuterRef
from numpy.typing import NDArray

from metrics.local_time import EPOCH
from metrics.models import SleepSession, Source
from metrics.selection.source_choice import UNCOUNTED, Numbers, Priorities, counting
from participants.compiled_sql import compiled
from participants.conditions_sql import DATE, IDS, AnyOf

FIELDS = ("pk", "participant", "participant__trial", "date", "source", "is_main", "asleep_minutes")


def counting_nights(
    group: Numbers, places: Numbers, source: Numbers, is_main: NDArray[np.bool_], asleep: Numbers
) -> NDArray[np.bool_]:
    """Mask of episodes that are of the source that counts. A group is a participant and date. All of shape (n,), any
    order."""
    keys, place = np.unique(np.stack([group, source]), axis=1, return_inverse=True)
    place = place.reshape(-1)
    n = keys.shape[1]
    main, total, ranks = np.full(n, -1), np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    np.maximum.at(main, place[is_main], asleep[is_main])
    np.add.at(total, place, asleep)
    ranks[place] = places
    ranks += np.where(main < 0, UNCOUNTED, 0)
    counts = counting(keys[0], ranks, keys[1], np.where(main < 0, total, main))
    chosen: NDArray[np.bool_] = counts[place]
    return chosen


def other_nights(
    people: Collection[int],
    first: dt.date | None,
    last: dt.date | None,
    *,
    among: Collection[int] = (),
    using: str = "default",
) -> set[int]:
    """Ids of the participants' episodes, by date of waking, that are of a source which does not count on their date.

    `among`: one of these sources counts, of the rest none. One statement, and two more where any date has several.
    """
    if first and last and not among:
        return _not_counting(SEVERAL_SOURCES.rows(using=using, people=list(people), first=first, last=last), using)
    sessions = SleepSession.objects.using(using).filter(participant__in=people)
    sessions = sessions.filter(date__gte=first) if first else sessions
    sessions = sessions.filter(date__lte=last) if last else sessions
    beside = SleepSession.objects.using(using).filter(participant=OuterRef("participant"), date=OuterRef("date"))
    if among:
        sessions, beside = sessions.filter(source__in=among), beside.filter(source__in=among)
    several = sessions.filter(Exists(beside.exclude(source=OuterRef("source")))).order_by()
    return _not_counting(list(several.values_list(*FIELDS)), using)


@compiled(people=IDS, first=DATE, last=DATE)
def SEVERAL_SOURCES(people: Any, first: Any, last: Any) -> Any:  # noqa: N802  a statement
    """Episodes of dates that have several sources."""
    sessions = SleepSession.objects.filter(AnyOf("participant_id", people), date__gte=first, date__lte=last)
    beside = SleepSession.objects.filter(participant=OuterRef("participant"), date=OuterRef("date"))
    several = sessions.filter(Exists(beside.exclude(source=OuterRef("source")))).order_by()
    return several.values_list(*FIELDS)


def _not_counting(rows: Sequence[Any], using: str) -> set[int]:
    if not rows:
        return set()
    pk, participant, trial, date, source, is_main, asleep = zip(*rows, strict=True)
    dates = np.array([(on - EPOCH).days for on in date], dtype=np.int64)
    sources = Source.objects.using(using).in_bulk(set(source))
    of, asleep_minutes = np.array(source, dtype=np.int64), np.array(asleep, dtype=np.int64)
    places = Priorities(set(trial), sources, using).places(np.array(trial, dtype=np.int64), dates, of)
    group = np.array(participant, dtype=np.int64) * 10_000_000 + dates
    counts = counting_nights(group, places, of, np.array(is_main), asleep_minutes)
    return {key for key, counted in zip(pk, counts.tolist(), strict=True) if not counted}


def asleep_on(nights: Sequence[tuple[int, bool, int]], places: Sequence[int]) -> int | None:
    """Minutes asleep in the main sleep that counts, of one date's episodes (source, main sleep?, minutes asleep).

    `places`: each one's place in the protocol's order. None where no source recorded a main sleep.
    """
    mains = [
        (place, -asleep, source) for (source, is_main, asleep), place in zip(nights, places, strict=True) if is_main
    ]
    return -min(mains)[1] if mains else None
