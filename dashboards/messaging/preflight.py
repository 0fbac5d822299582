"""Checks before an e-mail is sent, as texts: limits, addresses, whether the template fits the cause."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings

from dashboards.messaging import contact_limits, labels, template_engine
from dashboards.messaging import recipients as people_to_write_to
from dashboards.messaging.recipients import Recipient
from dashboards.messaging.services import Text
from dashboards.models import MessageTemplate
from dashboards.ui import formatting
from dashboards.ui.connection_labels import Badge
from dashboards.ui.status_labels import CAUSES
from ingestion import live_providers
from metrics.models import Cause
from participants.models import Protocol, Trial
from participants.privacy import contacts

NOW = Badge("Now", "s-active", "s-ok")
NAMED = 3  # study ids in a sentence; more are counted

REFUSED = {
    contact_limits.LEFT: ("Has left", "has left the trial", "have left the trial"),
    contact_limits.NO_ADDRESS: ("No address", "has no e-mail address here", "have no e-mail address here"),
    contact_limits.OPTED_OUT: ("Opted out", "wants no more reminders", "want no more reminders"),
    contact_limits.BOUNCED: ("Bounced", "has an address that refuses e-mail", "have an address that refuses e-mail"),
}


@dataclass(frozen=True, slots=True)
class Check:
    """Result of a check. `who` stands bold in front; the link (template's code, study ids) leads to what fits."""

    ok: bool
    text: str
    who: str = ""
    shape: str = ""
    link_text: str = ""
    link_code: str = ""
    link_ids: tuple[str, ...] = ()


def when_badge(recipient: Recipient, now: dt.datetime) -> Badge:
    """Badge for when an e-mail goes: Now, today 13:05, or why never."""
    if recipient.when.refused:
        return Badge(REFUSED[recipient.when.refused][0], "s-crit", "s-crit")
    if recipient.when.held and recipient.when.at:
        text = labels.moment(recipient.when.at, now, recipient.zone)
        return Badge(labels.sentence(text), "s-waiting", "s-warn")
    return NOW


def last_contact_text(recipient: Recipient, now: dt.datetime) -> str:
    """Text for a recipient's language and when they were last written to."""
    parts = [recipient.reach.language_name]
    if recipient.reach.opted_out_at:
        parts.append(f"opted out {formatting.clock(recipient.reach.opted_out_at, now, recipient.zone)}")
    elif recipient.reach.bounced_at:
        parts.append(f"address bounced {formatting.clock(recipient.reach.bounced_at, now, recipient.zone)}")
    elif recipient.last_email is None:
        parts.append("never written to")
    elif recipient.last_email > now:
        parts.append(f"an e-mail is held until {labels.moment(recipient.last_email, now, recipient.zone)}")
    else:
        parts.append(f"last e-mail {formatting.clock(recipient.last_email, now, recipient.zone)}")
    return " · ".join(parts)


def names(people: Sequence[Recipient]) -> str:
    """Study ids of recipients as text: AX-0078, AX-0311 and 12 more."""
    ids = [recipient.study_id for recipient in people]
    if len(ids) <= NAMED:
        return ids[0] if len(ids) == 1 else f"{', '.join(ids[:-1])} and {ids[-1]}"
    return f"{', '.join(ids[:2])} and {len(ids) - 2} more"


def checks(
    trial: Trial,
    people: Sequence[Recipient],
    protocol: Protocol,
    templates: Sequence[MessageTemplate],
    code: str,
    texts: dict[str, Text],
    edited: set[str],
    now: dt.datetime,
) -> list[Check]:
    """Results of all checks, the most important first. `people`: the chosen recipients."""
    if not people:
        return [Check(False, "No participant is chosen.", shape="s-silent")]
    results = [] if settings.EMAIL_HOST else [Check(False, "This site has no mail server: nothing can be sent.")]
    results += _refusals(people)
    results += _quiet(people, protocol, now)
    results += _gaps(people, protocol, now)
    results += _fit(people, templates, code)
    results += _texts(trial, people, texts, edited)
    return results


def _refusals(people: Sequence[Recipient]) -> list[Check]:
    results = []
    for code, (_, one_does, many_do) in REFUSED.items():
        if who := [recipient for recipient in people if recipient.when.refused == code]:
            text = f"{one_does if len(who) == 1 else many_do}: not written to."
            results.append(Check(False, text, names(who), "s-crit"))
    return results or [Check(True, "Nobody opted out, no address bounced")]


def _quiet(people: Sequence[Recipient], protocol: Protocol, now: dt.datetime) -> list[Check]:
    if protocol.quiet_from == protocol.quiet_until:
        return []
    hours = f"Quiet hours {protocol.quiet_from:%H:%M}–{protocol.quiet_until:%H:%M}"
    held = [recipient for recipient in people if contact_limits.QUIET in recipient.when.held]
    if held and held[0].when.at:
        until = labels.moment(held[0].when.at, now, held[0].zone)
        verb = "is" if len(held) == 1 else "are"
        text = f"{verb} in them when it would go. Held until {until}, local time."
        return [Check(False, text, f"{hours}: {names(held)}", "s-waiting")]
    sendable = sum(recipient.when.at is not None for recipient in people)
    if not sendable:
        return []
    return [Check(True, f"{hours}: outside them for {f'all {sendable}' if sendable > 1 else 'the participant'}")]


def _gaps(people: Sequence[Recipient], protocol: Protocol, now: dt.datetime) -> list[Check]:
    held = [recipient for recipient in people if contact_limits.GAP in recipient.when.held]
    limit = f"one e-mail in {protocol.contact_gap_hours}{formatting.NO_BREAK}h is the limit"
    if len(held) > NAMED:
        return [Check(False, f"were written to lately; {limit}. Held until then, and dropped if data arrive before.",
                      names(held), "s-waiting")]  # fmt: skip
    results = []
    for recipient in held:
        if recipient.when.at and recipient.last_email:
            was = "has an e-mail waiting"
            if recipient.last_email <= now:
                was = f"was written to {formatting.clock(recipient.last_email, now, recipient.zone)}"
            until = labels.moment(recipient.when.at, now, recipient.zone)
            text = f"{was}; {limit}. Held until {until}, and dropped if data arrive before."
            results.append(Check(False, text, recipient.study_id, "s-waiting"))
    return results or [
        Check(True, f"Nobody was written to in the last {protocol.contact_gap_hours}{formatting.NO_BREAK}h")
    ]


def _fit(people: Sequence[Recipient], templates: Sequence[MessageTemplate], code: str) -> list[Check]:
    chosen = next((template for template in templates if template.code == code), None)
    if chosen is None:
        return [Check(False, "This trial has no message templates: staff add them.", shape="s-silent")]
    by_cause: dict[str, list[Recipient]] = {}
    for recipient in people:
        if not people_to_write_to.fits(chosen, recipient.cause):
            by_cause.setdefault(recipient.cause, []).append(recipient)
    results = []
    for cause, who in by_cause.items():
        better = people_to_write_to.fitting(templates, cause)
        title = next((t.title for t in templates if better and t.code == better.code and t.language == "en"), "")
        title = title or (better.title if better else "")
        cause_label = CAUSES[Cause(cause)][0].lower()
        pronoun = "it" if len(who) == 1 else "them"
        results.append(
            Check(
                False,
                f"{cause_label}: this template is not about that.",
                f"{names(who)}:",
                "s-silent",
                f"Use “{title}” for {pronoun}" if better else "",
                better.code if better else "",
                tuple(recipient.study_id for recipient in who[:200]),
            )
        )
    return results or [Check(True, "The template fits what is wrong for each of them")]


def _texts(trial: Trial, people: Sequence[Recipient], texts: dict[str, Text], edited: set[str]) -> list[Check]:
    results = []
    everything = "".join(text.subject + text.body for text in texts.values())
    if "reconnect_link" in template_engine.used(everything):
        if not live_providers.providers():
            results.append(Check(False, "This site has no vendor connection: no link can be made.", shape="s-crit"))
        elif not trial.is_demo and any(provider.synthetic for provider in live_providers.providers()):
            text = "A simulator plays the vendor on this site: links are made for demo trials alone."
            results.append(Check(False, text, shape="s-crit"))
    other = [code for code in texts if code not in edited]
    if edited and other:
        changed = " and ".join(contacts.LANGUAGES[code] for code in texts if code in edited)
        kept = " and ".join(contacts.LANGUAGES[code] for code in other)
        results.append(
            Check(False, f"You changed the {changed} text; the {kept} one goes as it is saved.", shape="s-info")
        )
    sites = {site for recipient in people if (site := recipient.participant.site) and not site.email}
    if sites:
        named = ", ".join(sorted(site.name for site in sites))
        results.append(Check(False, f"{named}: no reply address is set; replies go to the sender’s.", shape="s-info"))
    return results
