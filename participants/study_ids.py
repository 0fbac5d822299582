"""Study ids: what makes two of them the same. Used wherever a participant is named.

Ids that differ in upper and lower case alone are one person: in files, at enrolment, in addresses and in searches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

Thing = TypeVar("Thing")


def study_key(study_id: str) -> str:
    """Key by which study ids are compared. Letters outside ASCII, which no study id has, are left as they are."""
    return study_id.lower() if study_id.isascii() else study_id


def study_keys(study_ids: Iterable[str]) -> tuple[list[str], list[str]]:
    """Those of these texts that can be study ids, and the keys by which they are compared."""
    named = [study_id for study_id in study_ids if "\0" not in study_id]
    return named, list(dict.fromkeys(map(study_key, named)))


def differs_in_case(other: str) -> str:
    """Why nobody can be enrolled under an id that only case tells from that of somebody who is."""
    return f"{other} is enrolled already: they differ in upper and lower case alone."


def by_study_key(things: Mapping[str, Thing]) -> dict[str, list[Thing]]:
    """Things by their study ids as they are compared; several only where ids differed in case before that was asked."""
    by_key: dict[str, list[Thing]] = {}
    for study_id, thing in things.items():
        by_key.setdefault(study_key(study_id), []).append(thing)
    return by_key


def spelt(study_ids: Sequence[str], known: Iterable[str]) -> dict[str, str]:
    """The known study ids that these stand for, by the id as it was written; those that stand for none are left out.

    The same letters come first; then the one that differs in case alone.
    """
    same = {study_id: study_id for study_id in known}
    alike = by_study_key(same)
    spelling = {}
    for written in study_ids:
        others = alike.get(study_key(written), [])
        if written in same:
            spelling[written] = written
        elif len(others) == 1:
            spelling[written] = others[0]
    return spelling
