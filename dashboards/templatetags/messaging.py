"""Notice on a participant's page about writing to them: opted out, bounced, no address. For their managers alone."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import template

from dashboards.ui.access import may_manage
from participants.models import Participant
from participants.privacy import contacts

register = template.Library()


@register.inclusion_tag("dashboards/messaging/_contact_state.html", takes_context=True)
def contact_state(context: dict[str, Any], participant: Participant, now: dt.datetime) -> dict[str, Any]:
    """A notice where they cannot be written to; nothing for who may not write to them. Two queries; opens nothing."""
    user = context.get("user")
    managed = user is not None and may_manage(user, participant)
    reach = contacts.reach(contacts.contact_of(participant)) if managed else None
    return {"reach": reach, "participant": participant, "now": now}
