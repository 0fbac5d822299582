"""What is checked before a letter goes, in words: limits, addresses, whether the letter fits what is wrong."""

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
    contact_limits.BOUNCED: ("Bounced", "has an address that refuses mail", "have an address that refuses mail"),
}


@dataclass(frozen=True, slots=True)
class Check:
    """One line. `who` stands bold in front; `link` (template's code, study ids) leads to the letter that fits."""

    ok: bool
    text: str
    who: str = ""
    shape: str = ""
    link_text: str = ""
    link_code: str = ""
    link_ids: tuple[str, ...] = ()


def when_badge(one: Recipient, now: dt.datetime) -> Badge:
    """When it goes, in the list: Now, today 13:05, or why never."""
    if one.when.refused:
        return Badge(REFUSED[one.when.refused][0], "s-crit", "s-crit")
    if one.when.held and one.when.at:
        text = labels.moment(one.when.at, now, one.zone)
        return Badge(labels.sentence(text), "s-waiting", "s-warn")
    return NOW


def last_contact_text(one: Recipient, now: dt.datetime) -> str:
    """A recipient's language and when they were last written to."""
    parts = [one.reach.language_name]
    if one.reach.opted_out_at:
        parts.append(f"opted out {formatting.clock(one.reach.opted_out_at, now, one.zone)}")
    elif one.reach.bounced_at:
        parts.append(f"address bounced {formatting.clock(one.reach.bounced_at, now, one.zone)}")
    elif one.last_email is None:
        parts.append("never written to")
    elif one.last_email > now:
        parts.append(f"an e-mail is held until {labels.moment(one.last_email, now, one.zone)}")
    else:
        parts.append(f"last e-mail {formatting.clock(one.last_email, now, one.zone)}")
    return " · ".join(parts)


def names(people: Sequence[Recipient]) -> str:
    """AX-0078, AX-0311 and 12 more."""
    ids = [one.study_id for one in people]
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
    """All of it, in the order in which it matters. `people`: the chosen."""
    if not people:
        return [Check(False, "Nobody is chosen.", shape="s-silent")]
    found = [] if settings.EMAIL_HOST else [Check(False, "This site has no mail server: nothing can be sent.")]
    found += _refusals(people)
    found += _quiet(people, protocol, now)
    found += _gaps(people, protocol, now)
    found += _fit(people, templates, code)
    found += _texts(trial, people, texts, edited)
    return found


def _refusals(people: Sequence[Recipient]) -> list[Check]:
    found = []
    for code, (_, one_does, many_do) in REFUSED.items():
        if who := [one for one in people if one.when.refused == code]:
            text = f"{one_does if len(who) == 1 else many_do}: not written to."
            found.append(Check(False, text, names(who), "s-crit"))
    return found or [Check(True, "Nobody opted out, no address bounced")]


def _quiet(people: Sequence[Recipient], protocol: Protocol, now: dt.datetime) -> list[Check]:
    if protocol.quiet_from == protocol.quiet_until:
        return []
    hours = f"Quiet hours {protocol.quiet_from:%H:%M}–{protocol.quiet_until:%H:%M}"
    held = [one for one in people if contact_limits.QUIET in one.when.held]
    if held and held[0].when.at:
        until = labels.moment(held[0].when.at, now, held[0].zone)
        verb = "is" if len(held) == 1 else "are"
        text = f"{verb} in them when it would go. Held until {until}, local time."
        return [Check(False, text, f"{hours}: {names(held)}", "s-waiting")]
    sendable = sum(one.when.at is not None for one in people)
    if not sendable:
        return []
    return [Check(True, f"{hours}: outside them for {f'all {sendable}' if sendable > 1 else 'the participant'}")]


def _gaps(people: Sequence[Recipient], protocol: Protocol, now: dt.datetime) -> list[Check]:
    held = [one for one in people if contact_limits.GAP in one.when.held]
    limit = f"one e-mail in {protocol.contact_gap_hours}{formatting.NO_BREAK}h is the limit"
    if len(held) > NAMED:
        return [Check(False, f"were written to lately; {limit}. Held until then, and dropped if data arrive before.",
                      names(held), "s-waiting")]  # fmt: skip
    found = []
    for one in held:
        if one.when.at and one.last_email:
            was = f"was written to {formatting.clock(one.last_email, now, one.zone)}" if one.last_email <= now else (
                "has an e-mail waiting"
            )  # fmt: skip
            until = labels.moment(one.when.at, now, one.zone)
            text = f"{was}; {limit}. Held until {until}, and dropped if data arrive before."
            found.append(Check(False, text, one.study_id, "s-waiting"))
    return found or [
        Check(True, f"Nobody was written to in the last {protocol.contact_gap_hours}{formatting.NO_BREAK}h")
    ]


def _fit(people: Sequence[Recipient], templates: Sequence[MessageTemplate], code: str) -> list[Check]:
    chosen = next((template for template in templates if template.code == code), None)
    if chosen is None:
        return [Check(False, "This trial has no letters: staff make them in the administration.", shape="s-silent")]
    by_cause: dict[str, list[Recipient]] = {}
    for one in people:
        if not people_to_write_to.fits(chosen, one.cause):
            by_cause.setdefault(one.cause, []).append(one)
    found = []
    for cause, who in by_cause.items():
        better = people_to_write_to.fitting(templates, cause)
        title = next((t.title for t in templates if better and t.code == better.code and t.language == "en"), "")
        title = title or (better.title if better else "")
        cause_label = CAUSES[Cause(cause)][0].lower()
        it = "it" if len(who) == 1 else "them"
        found.append(
            Check(
                False,
                f"{cause_label}: this letter does not speak of that.",
                f"{names(who)}:",
                "s-silent",
                f"Use “{title}” for {it}" if better else "",
                better.code if better else "",
                tuple(one.study_id for one in who[:200]),
            )
        )
    return found or [Check(True, "The letter fits what is wrong for each of them")]


def _texts(trial: Trial, people: Sequence[Recipient], texts: dict[str, Text], edited: set[str]) -> list[Check]:
    found = []
    everything = "".join(text.subject + text.body for text in texts.values())
    if "reconnect_link" in template_engine.used(everything):
        if not live_providers.providers():
            found.append(Check(False, "This site is connected to no vendor: the link cannot be made.", shape="s-crit"))
        elif not trial.is_demo and any(provider.synthetic for provider in live_providers.providers()):
            text = "A simulator plays the vendor on this site: links are made for demo trials alone."
            found.append(Check(False, text, shape="s-crit"))
    other = [code for code in texts if code not in edited]
    if edited and other:
        changed = " and ".join(contacts.LANGUAGES[code] for code in texts if code in edited)
        kept = " and ".join(contacts.LANGUAGES[code] for code in other)
        found.append(
            Check(False, f"You changed the {changed} text; the {kept} one goes as it is stored.", shape="s-info")
        )
    sites = {site for one in people if (site := one.participant.site) and not site.email}
    if sites:
        named = ", ".join(sorted(site.name for site in sites))
        found.append(Check(False, f"{named}: no address for answers is set; they go to the sender’s.", shape="s-info"))
    return found
