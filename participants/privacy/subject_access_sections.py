"""Subject-access sections of this package: record, contact data, consents, access log."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.utils.translation import gettext

from participants.models import AuditDetail, AuditEntry, Consent, Contact, Erasure, Participant, Pause, Reinstatement
from participants.privacy.contacts import contact_export, contact_of
from participants.privacy.subject_access import CHUNK, Row, Section, rows_of


def sections(participant: Participant) -> Iterator[Section]:
    """The sections of this package, in the order in which they are read."""
    own_row = Participant.objects.filter(pk=participant.pk)
    yield Section(
        "participant", gettext("You in the trial"),
        gettext("Your study id, your time zone, the days on which you are monitored, and how you stand in the trial."),
        (Participant,), rows_of(own_row),
    )  # fmt: skip
    yield Section(
        "contact", gettext("How you can be reached"),
        gettext("Your name, e-mail address and telephone number as you gave them. They are stored encrypted and "
                "apart from your measurements. Also when you asked for no more reminders, and whether an e-mail came "
                "back."),
        (Contact,), _contact(participant),
    )  # fmt: skip
    yield Section(
        "consents", gettext("Your consents"),
        gettext("Which version of the information you agreed to, when, in which way, and when you took it back, if "
                "you did."),
        (Consent,), rows_of(Consent.objects.filter(participant=participant)),
    )  # fmt: skip
    yield Section(
        "pauses", gettext("Pauses"),
        gettext("Days on which you were not expected to wear the device."),
        (Pause,), rows_of(Pause.objects.filter(participant=participant)),
    )  # fmt: skip
    yield Section(
        "requests-for-erasure", gettext("Requests to delete your data"),
        gettext("Whether somebody asked for your data to be deleted, and what was decided."),
        (Erasure,), rows_of(Erasure.objects.filter(participant=participant)),
    )  # fmt: skip
    yield Section(
        "requests-to-take-part-again", gettext("Requests to undo your leaving"),
        gettext("Whether somebody asked that your leaving be undone because it was entered by mistake, and what was "
                "decided."),
        (Reinstatement,), rows_of(Reinstatement.objects.filter(participant=participant)),
    )  # fmt: skip
    yield Section(
        "who-looked-and-what-was-changed", gettext("Who looked at your data, and what was changed"),
        gettext("Each time somebody of the trial's team or a program opened or changed something of yours: when, "
                "who, and where something was changed, what it was before and after. The making of these files is "
                "the last entry."),
        (AuditEntry, AuditDetail), _audit_entries(participant),
    )  # fmt: skip
    kind = ContentType.objects.get_for_model(Participant)
    yield Section(
        "administration-log", gettext("Changes in the administration"),
        gettext("The administration keeps a short log of its own of who saved what."),
        (LogEntry,), rows_of(LogEntry.objects.filter(content_type=kind, object_id=str(participant.pk))),
    )  # fmt: skip


def _contact(participant: Participant) -> Iterator[Row]:
    contact = contact_of(participant)
    if contact is None:
        return
    details = contact_export(contact)
    opened = {"name": details.name, "email": details.email, "phone": details.phone}
    for row in rows_of(Contact.objects.filter(pk=contact.pk)):
        yield {**opened, **row}


def _audit_entries(participant: Participant) -> Iterator[Row]:
    entries = AuditEntry.objects.filter(participant=participant).select_related("detail").order_by("pk")
    for entry in entries.iterator(chunk_size=CHUNK):
        detail = getattr(entry, "detail", None)
        yield {
            "at": entry.at,
            "what": entry.action,
            "who": entry.actor_name or "the platform",
            "how": entry.get_via_display(),
            "thing": entry.thing,
            "before": detail.old if detail else {},
            "after": detail.new if detail else {},
            "reason": detail.reason if detail else "",
        }
