"""Contact data of participants: the only module that encrypts and decrypts name, e-mail address and telephone number.

Nothing here is ever logged, and no encrypted text leaves it. Whoever only needs to know whether they can be written to
asks `reach`, which opens nothing.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from participants import locks
from participants.audit import record
from participants.compiled_sql import compiled
from participants.conditions_sql import ID
from participants.models import Contact, Participant
from participants.privacy import encryption
from participants.user_input import check_line

# Languages in which participants are written to, best known first: the trial's letters exist in these.
LANGUAGES: dict[str, str] = {"en": "English", "nl": "Dutch", "de": "German"}
DEFAULT_LANGUAGE = "en"
REASON_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Details:
    """Opened contact data. Their representation shows nothing, so that no log or error page can."""

    name: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)

    @property
    def first_name(self) -> str:
        return self.name.split()[0] if self.name.strip() else ""


@dataclass(frozen=True, slots=True)
class Reach:
    """Facts about a contact that are known without decrypting it; instants are UTC."""

    language: str = DEFAULT_LANGUAGE
    has_email: bool = False
    has_phone: bool = False
    opted_out_at: dt.datetime | None = None
    bounced_at: dt.datetime | None = None
    bounce_reason: str = ""

    @property
    def language_name(self) -> str:
        return LANGUAGES.get(self.language, self.language)


def reach(contact: Contact | None) -> Reach:
    """Whether and in which language a participant can be written to. No query and no key is needed."""
    if contact is None:
        return Reach()
    return Reach(
        language=contact.language,
        has_email=bool(contact.encrypted_email),
        has_phone=bool(contact.encrypted_phone),
        opted_out_at=contact.opted_out_at,
        bounced_at=contact.bounced_at,
        bounce_reason=contact.bounce_reason,
    )


def contact_of(participant: Participant) -> Contact | None:
    """The row of a participant's contact, or None where none was stored."""
    contact: Contact | None = stored_contact.first(participant=participant.pk)
    return contact


@compiled(participant=ID)
def stored_contact(participant: Any) -> Any:
    """What `contact_of` asks."""
    return Contact.objects.filter(participant=participant)


@transaction.atomic
def contact_store(
    participant: Participant, *, name: str = "", email: str = "", phone: str = "", language: str = DEFAULT_LANGUAGE
) -> Contact:
    """Encrypt and store how to reach them; replaces what was there. Another address than before is not a bounced one.

    Raises django's ValidationError, also for somebody erased; ImproperlyConfigured where no key is set.
    """
    if locks.locked_participant(participant).status == Participant.Status.ERASED:
        raise ValidationError("They were erased: nothing of them can be kept.")
    name, email, phone = " ".join(name.split()), email.strip(), phone.strip()
    for part, text in (("name", name), ("phone", phone)):
        try:
            check_line(text)
        except ValidationError as refused:
            raise ValidationError({part: refused.messages}) from None
    if email:
        validate_email(email)
    if language not in LANGUAGES:
        raise ValidationError({"language": f"Choose one of {', '.join(LANGUAGES)}."})
    contact = Contact.objects.select_for_update().filter(participant=participant).first()
    if contact is None:
        contact = Contact(participant=participant)
    elif _decrypted(contact.encrypted_email) != email:
        contact.bounced_at, contact.bounce_reason = None, ""
    contact.encrypted_name, contact.encrypted_email, contact.encrypted_phone = (
        encryption.encrypt(text) if text else "" for text in (name, email, phone)
    )
    contact.language = language
    contact.save()
    # What it was and is stays in the vault: the trail says which parts there are.
    held = {"name": bool(name), "email": bool(email), "phone": bool(phone), "language": language}
    record("contact.store", participant=participant, new=held)
    return contact


def contact_open(participant: Participant) -> Details:
    """Name, e-mail address and telephone number; empty where unknown. Recorded. Raises CannotDecrypt."""
    contact = contact_of(participant)
    record("contact.open", participant=participant)
    return contact_export(contact) if contact else Details()


def contact_export(contact: Contact) -> Details:
    """Contact data for the file of everything about a participant, the making of which is recorded as subject.export.

    Nobody else opens it this way. Raises encryption.CannotDecrypt.
    """
    return Details(
        _decrypted(contact.encrypted_name), _decrypted(contact.encrypted_email), _decrypted(contact.encrypted_phone)
    )


@transaction.atomic
def contact_remove(participant: Participant) -> None:
    """Delete how to reach a participant, and when they opted out; nothing where nothing is stored."""
    if Contact.objects.filter(participant=participant).delete()[0]:
        record("contact.remove", participant=participant)


def _decrypted(encrypted: str) -> str:
    return encryption.decrypt(encrypted) if encrypted else ""


def opt_out(participant: Participant, *, now: dt.datetime) -> None:
    """The participant wants no more reminders. The first time counts; kept without an address too."""
    contact, _ = Contact.objects.get_or_create(participant=participant)
    if Contact.objects.filter(pk=contact.pk, opted_out_at=None).update(opted_out_at=now, updated_at=now):
        record("contact.opt_out", participant=participant)


def opt_in(participant: Participant, *, now: dt.datetime) -> None:
    """The participant wants reminders after all."""
    if Contact.objects.filter(participant=participant).update(opted_out_at=None, updated_at=now):
        record("contact.opt_in", participant=participant)


def bounced(participant: Participant, reason: str, *, now: dt.datetime) -> None:
    """The address refuses e-mail for good; `reason` holds no address. Ends when another address is stored."""
    Contact.objects.filter(participant=participant).update(
        bounced_at=now, bounce_reason=reason[:REASON_LENGTH], updated_at=now
    )
    record("contact.bounce", participant=participant, reason=reason[:REASON_LENGTH])


@transaction.atomic
def bounce_lift(participant: Participant, *, reason: str, now: dt.datetime) -> None:
    """Lift a bounce: the address is written to again. Raises ValueError where it is not one that refuses e-mail."""
    refusing = Contact.objects.filter(participant=participant).exclude(bounced_at=None)
    if not refusing.update(bounced_at=None, bounce_reason="", updated_at=now):
        raise ValueError(f"The address of {participant.study_id} is written to already.")
    record("contact.bounce_lift", participant=participant, reason=reason)
