"""One day of one participant beside the heat map: its status, the day as a bar of wear and gaps, since when known."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboards.ui.access import Request, signed_in, visible_participant
from dashboards.ui.formatting import NO_BREAK, hours_minutes
from dashboards.ui.status_labels import CAUSES, DAY_STATUS, EXCLUSIONS, attention_badge
from dashboards.ui.timeline_geometry import Extent, Scale
from metrics.models import Cause, DayStatus, Exclusion, Gap, ParticipantDay
from metrics.monitoring import status
from metrics.monitoring.status import AttentionStatus
from metrics.reading import queries as reading_queries
from participants.audit import record_view
from participants.models import Participant, Protocol
from participants.team_texts import gettext
from participants.user_input import day_of, midnight

TONES = {DayStatus.VALID: "s-ok", DayStatus.INVALID: "s-warn", DayStatus.LOST: "s-crit"}


@dataclass(frozen=True, slots=True)
class MissingInterval(Extent):
    """A part of the day's bar, in percent of the day, and its line in the list."""

    classes: str
    clock: str
    label: str


@require_safe
@signed_in
def heatmap_day(request: Request, code: str, study_id: str, date: str) -> HttpResponse:
    """The panel of a day; 404 for a date that is none and for whom the user may not see."""
    now = timezone.now()
    among = status.with_attention_status(Participant.objects.all(), now).select_related("trial")
    person: Any = visible_participant(request, code, study_id, among=among)
    on = _date(date)
    record_view(person, part=True)
    day = next(iter(reading_queries.participant_days(person.pk, on, on)), None)
    rules = Protocol.objects.in_force(on).filter(trial=person.trial).first() or Protocol()
    gaps = list(Gap.objects.filter(participant=person, date=on))
    zone = ZoneInfo(person.time_zone)
    context = {
        "trial": person.trial,
        "participant": person,
        "badge": attention_badge(AttentionStatus(person.attention_status), rules.upload_warn_hours),
        "date": on,
        "day": day,
        "status_text": status_text(day, rules) if day else gettext("No result on this day"),
        "mark": DAY_STATUS[DayStatus(day.status)][1] if day else "",
        "tone": TONES.get(DayStatus(day.status), "s-mute") if day else "s-mute",
        "worn": "" if day is None else f"{min(day.worn_minutes / day.day_minutes, 1) * 100:.1f}",
        # Of a day that goes on, what is still to come is neither worn nor missing.
        "elapsed": f"{scale_of(on, zone).at(now):.3f}%",
        "missing": [s for gap in gaps if (s := missing_interval(gap, on, zone, now))],
        "now": now,
    }
    return render(request, "dashboards/heatmap/_heatmap_day.html", context)


def _date(text: str) -> dt.date:
    try:
        return day_of(text)
    except ValidationError:
        raise Http404("No such date.") from None


def status_text(day: ParticipantDay, rules: Protocol) -> str:
    """Text for a day's status: "Invalid: worn 6 h 40 (10 h needed)"."""
    label = DAY_STATUS[DayStatus(day.status)][0]
    if day.status == DayStatus.EXCLUDED:
        return f"{label}: {EXCLUSIONS[Exclusion(day.reason)]}" if day.reason else label
    least = hours_minutes(rules.valid_day_minutes).removesuffix(f"{NO_BREAK}00")
    return gettext("{label}: worn {worn_minutes} ({least} needed)").format(
        label=label, worn_minutes=hours_minutes(day.worn_minutes), least=least
    )


def scale_of(on: dt.date, zone: ZoneInfo) -> Scale:
    """A local day from end to end of its bar."""
    return Scale(midnight(on, zone), midnight(on + dt.timedelta(days=1), zone))


def missing_interval(gap: Gap, on: dt.date, zone: ZoneInfo, now: dt.datetime) -> MissingInterval | None:
    """A gap as a part of its local day, cut at now; None where it lies ahead. Lengths are real: days may have 25 h."""
    end = min(gap.ends_at, now)
    if end <= gap.starts_at:
        return None
    scale = scale_of(on, zone)
    last = gap.ends_at >= scale.end
    closing = "now" if end < gap.ends_at else "24:00" if last else f"{end.astimezone(zone):%H:%M}"
    label, classes = CAUSES[Cause(gap.cause)]
    return MissingInterval(
        *scale.span(gap.starts_at, end),
        classes=classes,
        clock=f"{gap.starts_at.astimezone(zone):%H:%M}–{closing}",
        label=label,
    )
