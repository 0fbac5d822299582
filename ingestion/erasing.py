"""Deletes what hangs on no foreign key: her name in imported files' names, and vendors' notices about her account."""

from __future__ import annotations

import re

from django.db.models import Func, IntegerField, QuerySet, Value
from django.db.models.lookups import GreaterThan

from ingestion.models import ImportFile, WebhookDelivery
from participants.models import Participant


def erase(participant: Participant) -> dict[str, int]:
    """Rows removed or made to forget her, by table. Safe to be called again."""
    files = ImportFile.objects.filter(trial=participant.trial)
    removed, _ = files.filter(whose=participant.study_id).delete()
    word = re.compile(rf"(?<![A-Za-z0-9._-]){re.escape(participant.study_id)}(?![A-Za-z0-9_-])", re.IGNORECASE)
    for file in files.filter(name__icontains=participant.study_id):
        file.name = word.sub("erased", file.name)
        file.save(update_fields=["name"])
    notices, _ = notices_about(participant).delete()
    return {"ingestion.ImportFile": removed, "ingestion.WebhookDelivery": notices}


def notices_about(participant: Participant) -> QuerySet[WebhookDelivery]:
    """Vendors' notices that name an account of hers."""
    accounts = participant.connections.exclude(external_user_id="").values_list("external_user_id", flat=True)
    found = WebhookDelivery.objects.none()
    for account in accounts:
        place = Func(
            Value(account.encode()),
            "body",
            template="position(%(expressions)s)",
            arg_joiner=" IN ",
            output_field=IntegerField(),
        )
        found = found | WebhookDelivery.objects.filter(GreaterThan(place, Value(0)))
    return found
