"""Invented contact data for a demo trial: names of nobody, addresses that no e-mail ever reaches."""

from __future__ import annotations

from django.conf import settings

from participants.models import Contact, Participant, Trial
from participants.privacy import contacts

FIRST = ("Robin", "Sanne", "Jonas", "Marit", "Emma", "Lukas", "Femke", "Oliver", "Hanna", "Daan", "Clara", "Noor")
LAST = (
    "Vlietstra",
    "Oakfield",
    "Brandhof",
    "Duinker",
    "Hartwood",
    "Lindner",
    "Waterman",
    "Ashdown",
    "Kestler",
    "Ruiter",
)
LANGUAGES = ("nl", "en", "nl", "de", "en")
BOUNCES_EACH, WITHOUT_EACH = 9, 13  # every so many: an address that is refused; none at all


def demo_contacts_ensure(trial: Trial) -> int:
    """Give each participant of a demo trial who has no contact an invented one, and each site a telephone number.

    Returns how many contacts were made. Nothing in trials that are no demo, nor where no key is set to encrypt with.
    """
    if not trial.is_demo or not settings.TOKEN_KEYS:
        return 0
    for number, site in enumerate(trial.sites.filter(phone="").order_by("pk"), start=1):
        site.phone, site.email = f"+31 20 555 01{number:02d}", f"{site.code.lower()}@example.org"
        site.save(update_fields=["phone", "email"])
    known = Contact.objects.filter(participant__trial=trial).values("participant")
    made = 0
    participants = Participant.objects.filter(trial=trial).order_by("study_id")
    known_ids = set(known.values_list("participant", flat=True))
    for number, participant in enumerate(participants, start=1):
        if participant.pk in known_ids:
            continue
        first, last = FIRST[number % len(FIRST)], LAST[number % len(LAST)]
        box = "bounce" if number % BOUNCES_EACH == 0 else f"{first}.{last}".lower()
        contacts.contact_store(
            participant,
            name=f"{first} {last}",
            email="" if number % WITHOUT_EACH == 0 else f"{box}.{number}@example.org",
            phone=f"+31 6 555 {number:05d}",
            language=LANGUAGES[number % len(LANGUAGES)],
        )
        made += 1
    return made
