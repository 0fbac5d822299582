"""What a trial's page asks of its participants, each query built once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.db.models import Count, Max, Min, Q

from dashboards.models import Alert, Outreach
from dashboards.trial_overview import filters as trial_overview_filters
from dashboards.trial_overview.filters import ParticipantFilters
from ingestion.models import ImportFile
from metrics.models import ParticipantStatusSummary, Recompute
from metrics.monitoring.status import AttentionStatus
from participants.compiled_sql import Statement, compiled
from participants.conditions_sql import DATE, ID, INSTANT, PEOPLE, Among
from participants.models import Participant, Protocol, Site

RULES_OF = {AttentionStatus.LOW_WEAR: Alert.Rule.LOW_WEAR, AttentionStatus.LOW_SLEEP: Alert.Rule.LOW_SLEEP}


@compiled(people=PEOPLE)
def summaries_moved(people: Any) -> Any:
    return ParticipantStatusSummary.objects.filter(Among("participant_id", people)).aggregate(
        at=Max("updated_at"), n=Count("pk")
    )


@compiled(people=PEOPLE)
def alerts_moved(people: Any) -> Any:
    return Alert.objects.filter(Among("participant_id", people)).aggregate(at=Max("updated_at"))


@compiled(people=PEOPLE, since=INSTANT)
def new_alerts(people: Any, since: Any) -> Any:
    """Open alerts raised since then, of the rules of statuses that have no instant of their own."""
    raised = Alert.objects.filter(Among("participant_id", people), raised_at__gt=since, resolved_at=None)
    return raised.filter(rule__in=RULES_OF.values()).order_by().values_list("rule").annotate(n=Count("pk"))


@compiled(trial=ID, people=PEOPLE)
def sites(trial: Any, people: Any) -> Any:
    """The trial's sites at which any of these people are."""
    theirs = Participant.objects.filter(Among("pk", people)).values("site")
    return Site.objects.filter(trial=trial, pk__in=theirs)


@compiled(trial=ID, on=DATE)
def protocols(trial: Any, on: Any) -> Any:
    """The protocol in force."""
    return Protocol.objects.filter(trial=trial).in_force(on)[:1]


@compiled(trial=ID, since=INSTANT)
def recomputes(trial: Any, since: Any) -> Any:
    return Recompute.objects.filter(trial=trial, finished_at=None, asked_at__gt=since).order_by("asked_at")


@compiled(people=PEOPLE, since=INSTANT, now=INSTANT)
def batches(people: Any, since: Any, now: Any) -> Any:
    """E-mails written together of which some are gone and some are due now."""
    due = Q(state=Outreach.State.SENDING) | Q(state=Outreach.State.HELD, send_after__lte=now)
    written = Outreach.objects.filter(Among("participant_id", people), kind=Outreach.Kind.EMAIL, state_at__lte=now)
    together = written.filter(created_at__gt=since).order_by().values("batch")
    together = together.annotate(total=Count("pk"), open=Count("pk", filter=due), since=Min("created_at"))
    return together.filter(open__gt=0, total__gt=1).order_by("since")


@compiled(trial=ID, since=INSTANT)
def imports(trial: Any, since: Any) -> Any:
    running = ImportFile.objects.filter(trial=trial, status=ImportFile.Status.RUNNING, started_at__gt=since)
    return running.aggregate(files=Count("pk"), since=Min("started_at"))


@lru_cache(maxsize=128)
def page_of(show: str, sort: str, first: int, last: int) -> Statement:
    """The rows from `first` to before `last` of a trial's table, without a search: a statement for each page of it."""

    @compiled(people=PEOPLE, now=INSTANT)
    def rows(people: Any, now: Any) -> Any:
        among = Participant.objects.filter(Among("pk", people))
        matches = trial_overview_filters.matching(among, ParticipantFilters(show=show), now)
        return trial_overview_filters.ordered(matches, sort).select_related("site", "status_summary")[first:last]

    return rows


@lru_cache(maxsize=64)
def ids_of(show: str, sort: str) -> Statement:
    """Study ids of all rows of a trial's table, without a search."""

    @compiled(people=PEOPLE, now=INSTANT)
    def ids(people: Any, now: Any) -> Any:
        among = Participant.objects.filter(Among("pk", people))
        matches = trial_overview_filters.matching(among, ParticipantFilters(show=show), now)
        return trial_overview_filters.ordered(matches, sort).values_list("study_id", flat=True)

    return ids
