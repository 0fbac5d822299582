"""Visible rows by statements that are compiled once: what programs ask for at each request.

Who sees whom is said by participants.querysets alone; here a parameter stands for the viewer. Users whose memberships
are known, or whose token opens some trials alone, ask by the querysets themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

from participants.compiled_sql import Statement, compiled
from participants.conditions_sql import ID, TEXT, TEXTS, Parameter
from participants.models import Participant, Trial, User
from participants.querysets import known_memberships
from participants.study_ids import study_keys

if TYPE_CHECKING:
    from participants.querysets import Viewer


class _SomeUser(Parameter):
    """Stands in a statement for an active user by their row id."""

    is_authenticated = is_active = True
    known_memberships = token_trials = None

    def __init__(self, parameter: Any, *, is_service: bool) -> None:
        super().__init__(parameter.name, parameter.output_field)
        self.is_service = is_service


def _of_each_kind(build: Any, **fields: Any) -> dict[bool, Statement]:
    """The statement for people and for service accounts, by whether it is one."""

    def of_kind(is_service: bool) -> Statement:
        return compiled(user=ID, **fields)(
            lambda user, **values: build(_SomeUser(user, is_service=is_service), **values)
        )

    return {is_service: of_kind(is_service) for is_service in (False, True)}


def _people(user: Any, trial: Any) -> Any:
    return Participant.objects.visible_to(user).filter(trial=trial).select_related("trial")


_TRIAL = _of_each_kind(lambda user, code: Trial.objects.visible_to(user).filter(code=code), code=TEXT)
_EVERYBODY = _of_each_kind(lambda user, trial: _people(user, trial).order_by("study_id"), trial=ID)
_NAMED = _of_each_kind(
    lambda user, trial, named, keys: _people(user, trial).named(named, keys), trial=ID, named=TEXTS, keys=TEXTS
)


def visible_trial(user: Viewer, code: str) -> Trial | None:
    """The trial of this code, if the user sees it. One query."""
    if "\0" in code:
        return None
    if _stands_for(user):
        trial: Trial | None = _TRIAL[user.is_service].first(user=user.pk, code=code)
        return trial
    return Trial.objects.visible_to(user).filter(code=code).first()


def visible_participants(user: Viewer, trial: Trial, study_ids: Sequence[str] = ()) -> list[Participant]:
    """Participants of a trial whom the user sees, with their trial: those of these study ids (querysets.with_study_ids)
    in any order, or where none is given all, by study id. One query.
    """
    if not _stands_for(user):
        people = _people(user, trial)
        return list(people.with_study_ids(study_ids) if study_ids else people.order_by("study_id"))
    if not study_ids:
        return list(_EVERYBODY[user.is_service].rows(user=user.pk, trial=trial.pk))
    named, keys = study_keys(study_ids)
    return list(_NAMED[user.is_service].rows(user=user.pk, trial=trial.pk, named=named, keys=keys))


def _stands_for(user: Viewer) -> TypeGuard[User]:
    """Whether a parameter may stand for this user."""
    return isinstance(user, User) and user.is_active and user.token_trials is None and known_memberships(user) is None
