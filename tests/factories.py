"""Objects to test with. All zones, dates and numbers are explicit where a test depends on them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import factory
from factory.django import DjangoModelFactory

from dashboards.models import Alert
from metrics.models import Access, ParticipantStatusSummary
from metrics.monitoring import day_codes
from participants.models import Membership, Participant, Protocol, Site, Trial, User


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"user{n}@example.org")
    password = factory.django.Password("a-long-test-password")


class TrialFactory(DjangoModelFactory[Trial]):
    class Meta:
        model = Trial
        skip_postgeneration_save = True

    code = factory.Sequence(lambda n: f"TRIAL-{n}")
    title = "Walking after knee replacement"
    status = Trial.Status.RUNNING
    time_zone = "Europe/Amsterdam"
    protocol = factory.RelatedFactory("tests.factories.ProtocolFactory", factory_related_name="trial")


class ProtocolFactory(DjangoModelFactory[Protocol]):
    class Meta:
        model = Protocol

    trial = factory.SubFactory(TrialFactory, protocol=None)
    effective_on = dt.date(2000, 1, 1)


class SiteFactory(DjangoModelFactory[Site]):
    class Meta:
        model = Site

    trial = factory.SubFactory(TrialFactory)
    code = factory.Sequence(lambda n: f"S{n}")
    name = factory.Sequence(lambda n: f"Clinic {n}")


class MembershipFactory(DjangoModelFactory[Membership]):
    class Meta:
        model = Membership

    user = factory.SubFactory(UserFactory)
    trial = factory.SubFactory(TrialFactory)
    role = Membership.Role.MANAGER


class ParticipantFactory(DjangoModelFactory[Participant]):
    class Meta:
        model = Participant

    trial = factory.SubFactory(TrialFactory)
    study_id = factory.Sequence(lambda n: f"P-{n:04d}")
    time_zone = "Europe/Amsterdam"
    status = Participant.Status.ACTIVE


class ParticipantStatusSummaryFactory(DjangoModelFactory[ParticipantStatusSummary]):
    """Connected, monitored and well: what a test changes is what it is about."""

    class Meta:
        model = ParticipantStatusSummary

    participant = factory.SubFactory(ParticipantFactory)
    updated_at = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)
    access = Access.OK
    last_sample_at = dt.datetime(2026, 11, 23, 7, 30, tzinfo=dt.UTC)
    silent_at = dt.datetime(2026, 11, 25, 7, 30, tzinfo=dt.UTC)
    critical_at = dt.datetime(2026, 11, 28, 7, 30, tzinfo=dt.UTC)
    overwritten_at = dt.datetime(2026, 11, 30, 7, 30, tzinfo=dt.UTC)
    adherence = 0.9
    best_adherence = 0.95


class AlertFactory(DjangoModelFactory[Alert]):
    class Meta:
        model = Alert

    participant = factory.SubFactory(ParticipantFactory)
    rule = Alert.Rule.NO_UPLOAD
    level = Alert.Level.WARN
    raised_at = dt.datetime(2026, 11, 22, 8, 0, tzinfo=dt.UTC)
    updated_at = factory.SelfAttribute("raised_at")


class EvaluatedSummaryFactory(ParticipantStatusSummaryFactory):
    """With day codes, from which the counts follow. By default all is well: 30 days, all valid, and data an hour ago.

    `last`: the newest sample; the instants at which the person turns silent and so on follow from it.
    """

    class Params:
        last = dt.datetime(2026, 11, 23, 7, 12, tzinfo=dt.UTC)
        days = 30

    day_codes_until = dt.date(2026, 11, 23)
    day_codes = factory.LazyAttribute(lambda o: "2" * (o.days - 1) + day_codes.PENDING)
    nights = factory.LazyAttribute(lambda o: day_codes.NIGHT * len(o.day_codes))
    day_codes_from = factory.LazyAttribute(lambda o: o.day_codes_until - dt.timedelta(days=len(o.day_codes) - 1))
    valid_days = factory.LazyAttribute(lambda o: sum(o.day_codes.count(code) for code in day_codes.VALID))
    lost_days = factory.LazyAttribute(lambda o: o.day_codes.count(day_codes.LOST))
    pending_days = factory.LazyAttribute(lambda o: o.day_codes.count(day_codes.PENDING))
    excluded_days = factory.LazyAttribute(
        lambda o: o.day_codes.count(day_codes.EXCLUDED) + o.day_codes.count(day_codes.FAULT)
    )
    counted_days = factory.LazyAttribute(lambda o: o.valid_days + o.lost_days + o.day_codes.count(day_codes.INVALID))
    adherence = factory.LazyAttribute(lambda o: o.valid_days / o.counted_days if o.counted_days else None)
    best_adherence = factory.LazyAttribute(lambda o: o.adherence)
    low_wear = factory.LazyAttribute(lambda o: o.adherence is not None and o.adherence < 0.7)
    nights_recorded = 7
    last_sample_at = factory.LazyAttribute(lambda o: o.last)
    arrived_at = factory.LazyAttribute(lambda o: o.last)
    silent_at = factory.LazyAttribute(lambda o: _after(o.last, 48))
    critical_at = factory.LazyAttribute(lambda o: _after(o.last, 120))
    overwritten_at = factory.LazyAttribute(lambda o: _after(o.last, 168))


def _after(last: dt.datetime | None, hours: int) -> Any:
    return last + dt.timedelta(hours=hours) if last else None
