"""Statements that are compiled once: they answer as the ORM does, and those of another shape are refused."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db.models import Count, F, Q

from participants.compiled_sql import UnknownShape, Written, compiled, run_together
from participants.conditions_sql import DATE, DATES, ID, IDS, INSTANT, PEOPLE, TEXT, Among, People, WithinDates
from participants.models import Membership, Participant, Protocol, User
from participants.querysets import Reach
from tests import factories

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)


def test_instances_come_with_what_they_refer_to(django_assert_num_queries: Any) -> None:
    @compiled(study_id=TEXT)
    def people(study_id: Any) -> Any:
        return Participant.objects.select_related("trial", "site").annotate(shown=F("arm")).filter(study_id=study_id)

    site = factories.SiteFactory.create()
    first = factories.ParticipantFactory.create(study_id="P-1", trial=site.trial, site=site, arm="A")
    second = factories.ParticipantFactory.create(study_id="P-2", site=None)
    people.first(study_id="P-0")
    with django_assert_num_queries(2):
        one, two = people.first(study_id="P-1"), people.first(study_id="P-2")
        assert (one, one.trial, one.site, one.shown) == (first, site.trial, site, "A")
        assert (two, two.trial, two.site) == (second, second.trial, None)
    assert people.first(study_id="P-3") is None


def test_other_values_give_other_rows() -> None:
    @compiled(since=INSTANT)
    def ids(since: Any) -> Any:
        return Participant.objects.filter(enrolled_at__gte=since).order_by("pk").values_list("study_id", flat=True)

    for day in range(3):
        factories.ParticipantFactory.create(study_id=f"P-{day}", enrolled_at=NOW + dt.timedelta(days=day))
    assert ids.rows(since=NOW) == ["P-0", "P-1", "P-2"]
    assert ids.rows(since=NOW + dt.timedelta(days=2)) == ["P-2"]
    assert ids.rows(since=NOW + dt.timedelta(days=3)) == []


def test_dictionaries_and_tuples_come_as_they_are_named() -> None:
    @compiled(trial=ID)
    def as_dictionaries(trial: Any) -> Any:
        return Participant.objects.filter(trial=trial).values("arm").annotate(n=Count("pk")).order_by("arm")

    @compiled(trial=ID)
    def as_tuples(trial: Any) -> Any:
        return as_dictionaries._build(trial).values_list("arm", "n")

    trial = factories.TrialFactory.create()
    for arm in "AAB":
        factories.ParticipantFactory.create(trial=trial, arm=arm)
    assert as_dictionaries.rows(trial=trial.pk) == [{"arm": "A", "n": 2}, {"arm": "B", "n": 1}]
    assert as_tuples.rows(trial=trial.pk) == [("A", 2), ("B", 1)]


def test_an_aggregate_gives_one_dictionary() -> None:
    @compiled(on=DATE)
    def counts(on: Any) -> Any:
        return Participant.objects.aggregate(n=Count("pk"), begun=Count("pk", filter=Q(monitoring_starts_on__lte=on)))

    assert counts.rows(on=NOW.date()) == [{"n": 0, "begun": 0}]
    factories.ParticipantFactory.create(monitoring_starts_on=NOW.date())
    assert counts.rows(on=NOW.date()) == [{"n": 1, "begun": 1}]
    assert counts.rows(on=NOW.date() - dt.timedelta(days=1)) == [{"n": 1, "begun": 0}]


def test_json_is_read_as_the_orm_reads_it() -> None:
    @compiled(trial=ID)
    def versions(trial: Any) -> Any:
        return Protocol.objects.filter(trial=trial)

    protocol = factories.ProtocolFactory.create()
    assert versions.first(trial=protocol.trial_id).alert_rules == protocol.alert_rules


@pytest.mark.parametrize("whole", [[], [0], [0, 1]])
def test_a_reach_of_any_size_is_one_statement(whole: list[int]) -> None:
    @compiled(whole=IDS, trials=IDS, sites=IDS)
    def people(**parts: Any) -> Any:
        return Participant.objects.reached(Reach(**parts)).values_list("pk", flat=True)

    trials = [factories.TrialFactory.create() for _ in range(2)]
    site = factories.SiteFactory.create(trial=trials[1])
    for trial in trials:
        factories.ParticipantFactory.create(trial=trial)
    factories.ParticipantFactory.create(trial=trials[1], site=site)
    for pairs in ([], [(trials[1].pk, site.pk)], [(trials[0].pk, site.pk)]):
        reach = Reach([trials[n].pk for n in whole], [one for one, _ in pairs], [one for _, one in pairs])
        seen = set(Participant.objects.reached(reach).values_list("pk", flat=True))
        assert set(people.rows(**reach.values())) == seen


@pytest.mark.parametrize(
    ("build", "why"),
    [
        (lambda now: Participant.objects.filter(enrolled_at__lt=now, monitoring_starts_on=NOW.date()), "no parameter"),
        (lambda now: Participant.objects.filter(enrolled_at__lt=NOW), "Nothing depends on now"),
        (
            lambda now: Participant.objects.filter(enrolled_at__lt=now).prefetch_related("gaps"),
            "a statement of its own",
        ),
        (lambda now: [now], "neither a queryset nor an aggregate"),
    ],
)
def test_what_cannot_be_kept_is_refused(build: Any, why: str) -> None:
    statement = compiled(now=INSTANT)(build)
    for _ in range(2):  # nothing of it is kept
        with pytest.raises(UnknownShape, match=why):
            statement.rows(now=NOW)


@pytest.mark.parametrize("values", [{}, {"pk": None}, {"pk": 1, "more": 2}])
def test_each_parameter_has_a_value(values: dict[str, Any]) -> None:
    @compiled(pk=ID)
    def users(pk: Any) -> Any:
        return User.objects.filter(pk=pk)

    with pytest.raises(TypeError, match="Each of pk needs a value"):
        users.rows(**values)


def test_it_is_built_once(django_assert_num_queries: Any) -> None:
    built = []

    @compiled(user=ID)
    def memberships(user: Any) -> Any:
        built.append(user)
        return Membership.objects.filter(user=user)

    for number in range(3):
        with django_assert_num_queries(1):
            memberships.rows(user=number)
    assert len(built) == 1


def test_several_go_as_one_message(django_assert_num_queries: Any) -> None:
    @compiled(pk=ID)
    def users(pk: Any) -> Any:
        return User.objects.filter(pk=pk)

    @compiled(arm=TEXT)
    def people(arm: Any) -> Any:
        return Participant.objects.filter(arm=arm).order_by("study_id").values_list("study_id", flat=True)

    user = factories.UserFactory.create()
    for study_id in ("P-1", "P-2"):
        factories.ParticipantFactory.create(study_id=study_id, arm="100 %'s; A")
    queries = users.with_values(pk=user.pk), people.with_values(arm="B"), people.with_values(arm="100 %'s; A")
    with django_assert_num_queries(1), run_together(*queries):
        assert users.first(pk=user.pk) == user
        assert people.rows(arm="B") == []
        assert people.rows(arm="100 %'s; A") == ["P-1", "P-2"]
    with django_assert_num_queries(2), run_together(*queries[:1]):
        for _ in range(2):
            assert users.first(pk=0) is None  # was not among them, and is not asked twice
    with django_assert_num_queries(1):  # and afterwards it is asked again
        assert users.first(pk=user.pk) == user


def test_what_is_run_together_inside_another_is_answered_too(django_assert_num_queries: Any) -> None:
    @compiled(pk=ID)
    def users(pk: Any) -> Any:
        return User.objects.filter(pk=pk)

    first, second = factories.UserFactory.create(), factories.UserFactory.create()
    with django_assert_num_queries(2), run_together(users.with_values(pk=first.pk)):
        with run_together(users.with_values(pk=second.pk)):
            assert (users.first(pk=first.pk), users.first(pk=second.pk)) == (first, second)
        assert users.first(pk=first.pk) == first


def test_a_written_statement_has_its_parameters_by_name() -> None:
    sums = Written("SELECT %(a)s::int + %(b)s, %(a)s::int", a=ID, b=ID)
    assert sums.rows(a=3, b=4) == [(7, 3)]
    with run_together(sums.with_values(a=1, b=2)):
        assert sums.first(a=1, b=2) == (3, 1)
    with pytest.raises(UnknownShape, match="not a place for each"):
        Written("SELECT %(a)s LIKE '5%'", a=ID).rows(a=1)


def test_people_are_put_into_statements() -> None:
    @compiled(people=PEOPLE, arm=TEXT)
    def ids(people: Any, arm: Any) -> Any:
        among = Participant.objects.filter(Among("pk", people), arm=arm)
        return among.order_by("study_id").values_list("study_id", flat=True)

    for study_id, arm in (("P-1", "A"), ("P-2", "A"), ("P-3", "B")):
        factories.ParticipantFactory.create(study_id=study_id, arm=arm)
    some = People.of(Participant.objects.filter(study_id__in=["P-2", "P-3"]))
    assert ids.rows(people=some, arm="A") == ["P-2"]
    assert ids.rows(people=People.of(Participant.objects.all()), arm="A") == ["P-1", "P-2"]
    assert ids.rows(people=People.of(Participant.objects.none()), arm="A") == []
    with run_together(ids.with_values(people=some, arm="B")):
        assert ids.rows(people=some, arm="B") == ["P-3"]


def test_dates_of_no_interval_are_none() -> None:
    @compiled(firsts=DATES, lasts=DATES)
    def people(firsts: Any, lasts: Any) -> Any:
        within = Participant.objects.filter(WithinDates("monitoring_starts_on", firsts, lasts))
        return within.values_list("study_id", flat=True)

    today = NOW.date()
    factories.ParticipantFactory.create(study_id="P-1", monitoring_starts_on=today)
    day = dt.timedelta(days=1)
    assert people.rows(firsts=[], lasts=[]) == []
    assert people.rows(firsts=[today], lasts=[today]) == ["P-1"]
    assert people.rows(firsts=[dt.date.min, today + day], lasts=[today - day, dt.date.max]) == []
    assert people.rows(firsts=[dt.date.min], lasts=[dt.date.max]) == ["P-1"]
