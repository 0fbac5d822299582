"""Models of accounts and of what they may do in which trial."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone

from participants.models.fields import LineField
from participants.models.trials import Site, Trial
from participants.querysets import CurrentMembership, UserManager
from participants.user_input import canonical_address

# Of service accounts' addresses. A domain that is nobody's (RFC 2606): no mail for such an account ever leaves.
SERVICE_DOMAIN = "service.invalid"


class User(AbstractUser):
    """User who signs in: a member of a trial's team or of the staff. Never a participant."""

    username = None  # type: ignore[assignment]  # the e-mail address takes its place
    email = models.EmailField("e-mail address", unique=True)
    first_name = LineField("first name", max_length=150, blank=True)
    last_name = LineField("last name", max_length=150, blank=True)

    is_service = models.BooleanField(
        "service account", default=False, help_text="A program's account: it has tokens and no password."
    )
    # Set by the database with the first membership, if not before; a membership of another trial is refused there too.
    service_trial = models.ForeignKey(
        "Trial",
        models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        db_index=False,
        related_name="+",
        help_text="The only trial that a service account and its tokens reach.",
    )
    signed_out_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Sessions from before this moment have ended."
    )

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    # What the API token they came with allows at most (participants.api.base.authentication); a person who signed in
    # has no limits.
    token_trials: frozenset[int] | None = None
    read_only = False
    # Read with the user in a request that only reads (participants.accounts.session_user); None: nobody knows them.
    known_memberships: Sequence[CurrentMembership] | None = None
    known_factor: bool | None = None  # whether they have a second factor

    objects = UserManager()  # type: ignore[misc,assignment]

    def __str__(self) -> str:
        return self.email

    def clean(self) -> None:
        """Make the address canonical before uniqueness is checked: two ways to write an address are one address."""
        super().clean()
        self.email = canonical_address(self.email)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Whoever stores an account stores its address as it is looked up."""
        self.email = canonical_address(self.email)
        super().save(*args, **kwargs)


class Membership(models.Model):
    """Membership of a user in a trial, or in one site of it. Ended, never deleted, so that the past can be told."""

    class Role(models.TextChoices):
        MANAGER = "manager", "manager"
        COORDINATOR = "coordinator", "coordinator"
        ANALYST = "analyst", "analyst"
        VIEWER = "viewer", "viewer"

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    trial = models.ForeignKey(Trial, models.CASCADE, related_name="memberships")
    site = models.ForeignKey(Site, models.CASCADE, null=True, blank=True, help_text="Empty: all sites of the trial.")
    role = models.CharField(max_length=12, choices=Role, default=Role.VIEWER)
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    digest_at = models.TimeField(
        "daily digest at",
        null=True,
        blank=True,
        default=dt.time(7, 0),
        help_text="The trial's time; managers and coordinators only. Empty: none.",
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("user", "trial", "site"),
                condition=Q(ended_at=None),
                nulls_distinct=False,
                name="membership_current_once",
                violation_error_message="This person is already a member there.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.user} in {self.trial}: {self.role}"

    def clean(self) -> None:
        if self.site_id and self.trial_id and self.site and self.site.trial_id != self.trial_id:
            raise ValidationError({"site": "This site belongs to another trial."})
        if self.user_id and self.user.is_service:
            if self.user.service_trial_id not in (None, self.trial_id):
                raise ValidationError({"user": "A service account works in its own trial only."})
            if self.role == self.Role.MANAGER:
                raise ValidationError({"role": "A program is coordinator, analyst or viewer."})
