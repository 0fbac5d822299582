"""Erasure of what hangs on no foreign key: study ids in records of imported files, and vendors' notices."""

from __future__ import annotations

import json
import re

from django.db.models import Func, IntegerField, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast
from django.db.models.lookups import GreaterThan

from ingestion.models import ImportFile, RejectedRow, WebhookDelivery
from participants.models import Participant


def erase(participant: Participant) -> dict[str, int]:
    """Delete or anonymise what concerns the participant; returns the rows by table. Safe to be called again."""
    files = ImportFile.objects.filter(trial=participant.trial)
    removed, _ = files.filter(whose=participant.study_id).delete()
    _forget(files, participant.study_id)
    notices, _ = notices_about(participant).delete()
    return {"ingestion.ImportFile": removed, "ingestion.WebhookDelivery": notices}


def _forget(files: QuerySet[ImportFile], study_id: str) -> None:
    """Remove a study id from records of files: their names, what was assumed and rejected, and why."""
    whole_id = re.compile(rf"(?<![A-Za-z0-9._-]){re.escape(study_id)}(?![A-Za-z0-9_-])", re.IGNORECASE)
    mentions = Q(name__icontains=study_id) | Q(error__icontains=study_id)
    for name in ("assumptions", "counts"):
        files = files.alias(**{f"{name}_text": Cast(name, TextField())})
        mentions |= Q(**{f"{name}_text__icontains": study_id})
    for file in files.filter(mentions):
        file.name, file.error = whole_id.sub("erased", file.name), whole_id.sub("erased", file.error)
        for name in ("assumptions", "counts"):
            setattr(file, name, json.loads(whole_id.sub("erased", json.dumps(getattr(file, name)))))
        file.save(update_fields=["name", "error", "assumptions", "counts"])
    for row in RejectedRow.objects.filter(import_file__in=files, reason__icontains=study_id):
        row.reason = whole_id.sub("erased", row.reason)
        row.save(update_fields=["reason"])


def notices_about(participant: Participant) -> QuerySet[WebhookDelivery]:
    """Vendors' notices that name an account of the participant's."""
    accounts = participant.connections.exclude(external_user_id="").values_list("external_user_id", flat=True)
    notices = WebhookDelivery.objects.none()
    for account in accounts:
        place = Func(
            Value(account.encode()),
            "body",
            template="position(%(expressions)s)",
            arg_joiner=" IN ",
            output_field=IntegerField(),
        )
        notices = notices | WebhookDelivery.objects.filter(GreaterThan(place, Value(0)))
    return notices
