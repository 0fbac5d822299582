"""Visibility: who may see whom. The only definition: every page, endpoint, export and task starts here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeAlias

from django.apps import apps
from django.contrib.auth.base_user import BaseUserManager
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Lower

from participants.conditions_sql import TEXTS, AnyOf, PairIn
from participants.registration import Hook
from participants.study_ids import study_keys
from participants.user_input import canonical_address

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from participants.models import Participant, Trial, User

    Viewer: TypeAlias = User | AnonymousUser


class UserCreated(Protocol):
    """Hears of a user who was just made, in that transaction."""

    def __call__(self, user: User, /) -> object: ...


user_created: Hook[UserCreated] = Hook()  # the audit trail, which imports the models, which import this module


class UserManager(BaseUserManager[Any]):
    """Users sign in with their e-mail address, however it is written (participants.user_input)."""

    use_in_migrations = True

    def get_by_natural_key(self, username: str | None) -> Any:
        return self.get(email=canonical_address(username or ""))

    def _create(self, email: str, password: str | None, **extra: Any) -> Any:
        if not email:
            raise ValueError("A user needs an e-mail address.")
        user = self.model(email=canonical_address(email), **extra)
        user.set_password(password)
        user.save(using=self._db)
        for tell in user_created:
            tell(user)
        return user

    def create_user(self, email: str, password: str | None = None, **extra: Any) -> Any:
        return self._create(email, password, **extra)

    def create_superuser(self, email: str, password: str | None = None, **extra: Any) -> Any:
        return self._create(email, password, **{"is_staff": True, "is_superuser": True, **extra})

    def by_address(self, address: str) -> models.QuerySet[Any]:
        """The account of an e-mail address, however it is written: one or none."""
        return self.filter(email=canonical_address(address))

    def may_join(self, trial: Trial) -> models.QuerySet[Any]:
        """Users who can be made members of a trial: people; of service accounts its own alone."""
        return self.filter(Q(is_service=False) | Q(service_trial=trial), is_active=True)


@dataclass(frozen=True, slots=True)
class CurrentMembership:
    """A membership that has not ended, by row ids; `site` None: of the whole trial."""

    trial: int
    site: int | None
    role: str

    @property
    def acts(self) -> bool:
        """Whether whoever has it acts for participants."""
        return self.role in (MANAGER, COORDINATOR)


@dataclass(frozen=True, slots=True)
class Reach:
    """Trials and sites that memberships reach: whole trials, and pairs of a trial and one of its sites.

    In a statement that is compiled once, each of the three is a parameter.
    """

    whole: Any
    trials: Any
    sites: Any

    @classmethod
    def of(cls, memberships: Iterable[CurrentMembership]) -> Reach:
        """What these memberships reach."""
        held = list(memberships)
        of_sites = [one for one in held if one.site is not None]
        return cls(
            whole=[one.trial for one in held if one.site is None],
            trials=[one.trial for one in of_sites],
            sites=[one.site for one in of_sites],
        )

    def holds(self, trial: int, site: int | None) -> bool:
        """Whether they reach participants of a trial's site (None: of no site)."""
        return trial in self.whole or (trial, site) in zip(self.trials, self.sites, strict=True)

    def values(self) -> dict[str, Any]:
        """Its parts by name, as the parameters of a compiled statement."""
        return {"whole": self.whole, "trials": self.trials, "sites": self.sites}


# Membership.Role: the models import this module.
MANAGER, COORDINATOR = "manager", "coordinator"


def known_memberships(user: Viewer) -> Sequence[CurrentMembership] | None:
    """A user's memberships as they were read with the user, in a request that only reads; None: they are asked for
    in each statement.

    A request that changes something, a program and a task always ask.
    """
    if not user.is_authenticated or user.is_service or user.token_trials is not None:
        return None
    return user.known_memberships


def seen_by(user: Viewer) -> Reach | None:
    """Of whom a user sees participants, where their memberships are known; else None."""
    known = known_memberships(user)
    return None if known is None else Reach.of(known if user.is_active else ())


def leads(user: Viewer, trial: Trial) -> bool:
    """Whether a user leads all of a trial. No query where their memberships are known."""
    models = apps.get_model("participants", "Trial").objects
    if (known := known_memberships(user)) is None:
        return bool(models.led_by(user).filter(pk=trial.pk).exists())
    return any((one.trial, one.site, one.role) == (trial.pk, None, MANAGER) for one in known)


def acts_in(user: Viewer, trial: Trial) -> bool:
    """Whether a user acts for anybody in a trial. No query where their memberships are known."""
    if (known := known_memberships(user)) is None:
        people = apps.get_model("participants", "Participant").objects
        return bool(people.managed_by(user).filter(trial=trial).exists())
    return any(one.trial == trial.pk and one.acts for one in known)


def acts_for(user: Viewer, participant: Participant) -> bool:
    """Whether a user acts for a participant, as manager or coordinator. No query where their memberships are known."""
    if (known := known_memberships(user)) is None:
        return bool(type(participant).objects.managed_by(user).filter(pk=participant.pk).exists())
    reach = Reach.of(one for one in known if one.acts)
    return participant.status != type(participant).Status.ERASED and reach.holds(
        participant.trial_id, participant.site_id
    )


def _memberships(user: User) -> Any:
    """The user's memberships that have not ended, within their token's limits; of a service account those of its trial.

    By name: the models import this module.
    """
    memberships = apps.get_model("participants", "Membership").objects.filter(user=user, ended_at=None)
    if user.is_service:
        memberships = memberships.filter(trial=F("user__service_trial"))
    return memberships if user.token_trials is None else memberships.filter(trial__in=user.token_trials)


class TrialQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: Viewer) -> Self:
        """Trials in which the user has a current membership. Superusers get no short cut: they join a trial too."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if (known := known_memberships(user)) is not None:
            return self.filter(pk__in={one.trial for one in known})
        return self.filter(Exists(_memberships(user).filter(trial=OuterRef("pk"))))

    def led_by(self, user: Viewer, *, reading: bool = False) -> Self:
        """Trials whose rules and team the user may change: as a manager of all of it. A site's manager may not, nor a
        program, whatever its role.

        `reading`: those of which the user may read what only their managers may; a token that may only read does too.
        """
        if not user.is_authenticated or not user.is_active or user.is_service or (user.read_only and not reading):
            return self.none()
        if (known := known_memberships(user)) is not None:
            return self.filter(pk__in={one.trial for one in known if one.role == MANAGER and one.site is None})
        return self.filter(Exists(_memberships(user).filter(trial=OuterRef("pk"), role=MANAGER, site=None)))

    def visible_whole_to(self, user: Viewer) -> Self:
        """Trials of which the user sees all sites, and so may read what is counted over all of them."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if (known := known_memberships(user)) is not None:
            return self.filter(pk__in={one.trial for one in known if one.site is None})
        return self.filter(Exists(_memberships(user).filter(trial=OuterRef("pk"), site=None)))

    def enrolled_by(self, user: Viewer, site: Any = None) -> Self:
        """Trials in which the user may enrol at a site; without one: only where they act for the whole trial."""
        if not user.is_authenticated or not user.is_active or user.read_only:
            return self.none()
        acts = _memberships(user).filter(trial=OuterRef("pk"), role__in=[MANAGER, COORDINATOR])
        return self.filter(Exists(acts.filter(Q(site=None) | Q(site=site)) if site else acts.filter(site=None)))


class ParticipantQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: Viewer) -> Self:
        """Participants of the user's trials; a membership that names a site shows that site only."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if (known := known_memberships(user)) is not None:
            return self.reached(Reach.of(known))
        return self._of(_memberships(user))

    def managed_by(self, user: Viewer) -> Self:
        """Participants whom the user may invite, connect and disconnect: as manager or coordinator."""
        if not user.is_authenticated or not user.is_active or user.read_only:
            return self.none()
        if (known := known_memberships(user)) is not None:
            return self.reached(Reach.of(one for one in known if one.acts))
        return self._of(_memberships(user).filter(role__in=[MANAGER, COORDINATOR]))

    def reached(self, reach: Reach) -> Self:
        """Participants whom memberships reach: of whole trials, and of sites."""
        condition = Q(AnyOf("trial_id", reach.whole))
        if not isinstance(reach.sites, list) or reach.sites:
            condition |= Q(PairIn(("trial_id", "site_id"), reach.trials, reach.sites))
        return self.filter(condition).exclude(status=self.model.Status.ERASED)

    def with_study_id(self, study_id: str) -> Self:
        """Whoever has this study id, of each trial at most one."""
        return self.with_study_ids([study_id])

    def with_study_ids(self, study_ids: Iterable[str]) -> Self:
        """Participants whom these study ids name, compared as participants.study_ids says.

        Of two from before ids were so compared, the one written with the same letters; else the older one.
        """
        return self.named(*study_keys(study_ids))

    def named(self, study_ids: Any, keys: Any) -> Self:
        """As with_study_ids, of study ids and their keys as study_ids.study_keys gives them: lists, or parameters."""
        one_of_these = Q(AnyOf("study_id", study_ids, TEXTS))
        twin = self.model._default_manager.filter(one_of_these, trial=OuterRef("trial"))
        twin = twin.alias(study_key=Lower("study_id")).filter(study_key=OuterRef("study_key"))
        alike = self.alias(study_key=Lower("study_id")).filter(AnyOf("study_key", keys, TEXTS))
        return alike.filter(one_of_these | (Q(case_twin=False) & ~Exists(twin)))

    def spelt_like(self, study_ids: Iterable[str]) -> Self:
        """All whose study ids are these but for upper and lower case."""
        _, keys = study_keys(study_ids)
        return self.alias(study_key=Lower("study_id")).filter(AnyOf("study_key", keys, TEXTS))

    def _of(self, memberships: models.QuerySet[Any]) -> Self:
        in_trial = memberships.filter(trial=OuterRef("trial"))
        return self.filter(Exists(in_trial.filter(Q(site=None) | Q(site=OuterRef("site"))))).exclude(
            status=self.model.Status.ERASED
        )


class SiteQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: Viewer) -> Self:
        """Sites of the user's trials; a membership that names a site shows that one only."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if (known := known_memberships(user)) is not None:
            reach = Reach.of(known)
            return self.filter(Q(trial__in=reach.whole) | Q(PairIn(("trial_id", "pk"), reach.trials, reach.sites)))
        memberships = _memberships(user).filter(trial=OuterRef("trial"))
        return self.filter(Exists(memberships.filter(Q(site=None) | Q(site=OuterRef("pk")))))


class ProtocolQuerySet(models.QuerySet[Any]):
    def in_force(self, on: Any) -> Self:
        """Protocols effective on a date, newest first."""
        return self.filter(effective_on__lte=on).order_by(F("effective_on").desc(), F("version").desc())


class AuditQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: Viewer) -> Self:
        """Entries of the trials that the user leads; of the whole site for staff who may view entries.

        A token of some trials shows staff those of these. Programs are nobody's staff.
        """
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if not reads_whole_audit_trail(user):
            return self.filter(trial__in=apps.get_model("participants", "Trial").objects.led_by(user, reading=True))
        return self if user.token_trials is None else self.filter(trial__in=user.token_trials)


def reads_whole_audit_trail(user: Viewer) -> bool:
    """Whether entries that belong to no trial, or to trials that the user does not lead, are theirs to read."""
    staff = user.is_authenticated and user.is_active and user.is_staff and not user.is_service
    return staff and user.has_perm("participants.view_auditentry")
