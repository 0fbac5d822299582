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
from participants.team_texts import gettext, ngettext

NOW = Badge(gettext("Now"), "s-active", "s-ok")
NAMED = 3  # study ids in a sentence; more are counted

REFUSED = {
    contact_limits.LEFT: (gettext("Has left"), gettext("has left the trial"), gettext("have left the trial")),
    contact_limits.NO_ADDRESS: (
        gettext("No address"),
        gettext("has no e-mail address here"),
        gettext("have no e-mail address here"),
    ),
    contact_limits.OPTED_OUT: (
        gettext("Opted out"),
        gettext("wants no more reminders"),
        gettext("want no more reminders"),
    ),
    contact_limits.BOUNCED: (
        gettext("Bounced"),
        gettext("has an address that refuses e-mail"),
        gettext("have an address that refuses e-mail"),
    ),
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
        parts.append(
            gettext("opted out {opted_out_at}").format(
                opted_out_at=formatting.clock(recipient.reach.opted_out_at, now, recipient.zone)
            )
        )
    elif recipient.reach.bounced_at:
        parts.append(
            gettext("address bounced {bounced_at}").format(
                bounced_at=formatting.clock(recipient.reach.bounced_at, now, recipient.zone)
            )
        )
    elif recipient.last_email is None:
        parts.append(gettext("never written to"))
    elif recipient.last_email > now:
        parts.append(
            gettext("an e-mail is held until {last_email}").format(
                last_email=labels.moment(recipient.last_email, now, recipient.zone)
            )
        )
    else:
        parts.append(
            gettext("last e-mail {last_email}").format(
                last_email=formatting.clock(recipient.last_email, now, recipient.zone)
            )
        )
    return " · ".join(parts)


def names(people: Sequence[Recipient]) -> str:
    """Study ids of recipients as text: AX-0078, AX-0311 and 12 more."""
    ids = [recipient.study_id for recipient in people]
    if len(ids) <= NAMED:
        return ids[0] if len(ids) == 1 else gettext("{ids} and {last}").format(ids=", ".join(ids[:-1]), last=ids[-1])
    return gettext("{ids} and {n} more").format(ids=", ".join(ids[:2]), n=len(ids) - 2)


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
        return [Check(False, gettext("No participant is chosen."), shape="s-silent")]
    results = (
        [] if settings.EMAIL_HOST else [Check(False, gettext("This site has no mail server: nothing can be sent."))]
    )
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
            text = gettext("{what}: not written to.").format(what=one_does if len(who) == 1 else many_do)
            results.append(Check(False, text, names(who), "s-crit"))
    return results or [Check(True, gettext("Nobody opted out, no address bounced"))]


def _quiet(people: Sequence[Recipient], protocol: Protocol, now: dt.datetime) -> list[Check]:
    if protocol.quiet_from == protocol.quiet_until:
        return []
    hours = gettext("Quiet hours {quiet_from:%H:%M}–{quiet_until:%H:%M}").format(
        quiet_from=protocol.quiet_from, quiet_until=protocol.quiet_until
    )
    held = [recipient for recipient in people if contact_limits.QUIET in recipient.when.held]
    if held and held[0].when.at:
        until = labels.moment(held[0].when.at, now, held[0].zone)
        text = ngettext(
            "is in them when it would go. Held until {until}, local time.",
            "are in them when it would go. Held until {until}, local time.",
            len(held),
        ).format(until=until)
        return [Check(False, text, f"{hours}: {names(held)}", "s-waiting")]
    sendable = sum(recipient.when.at is not None for recipient in people)
    if not sendable:
        return []
    text = ngettext("{hours}: outside them for the participant", "{hours}: outside them for all {n}", sendable)
    return [Check(True, text.format(hours=hours, n=sendable))]


def _gaps(people: Sequence[Recipient], protocol: Protocol, now: dt.datetime) -> list[Check]:
    held = [recipient for recipient in people if contact_limits.GAP in recipient.when.held]
    limit = gettext("one e-mail in {contact_gap_hours}\u00a0h is the limit").format(
        contact_gap_hours=protocol.contact_gap_hours
    )
    if len(held) > NAMED:
        text = gettext("were written to lately; {limit}. Held until then, and dropped if data arrive before.")
        return [Check(False, text.format(limit=limit), names(held), "s-waiting")]
    results = []
    for recipient in held:
        if recipient.when.at and recipient.last_email:
            was = gettext("has an e-mail waiting")
            if recipient.last_email <= now:
                was = gettext("was written to {last_email}").format(
                    last_email=formatting.clock(recipient.last_email, now, recipient.zone)
                )
            until = labels.moment(recipient.when.at, now, recipient.zone)
            text = gettext("{was}; {limit}. Held until {until}, and dropped if data arrive before.").format(
                was=was, limit=limit, until=until
            )
            results.append(Check(False, text, recipient.study_id, "s-waiting"))
    return results or [
        Check(
            True,
            gettext("Nobody was written to in the last {contact_gap_hours}\u00a0h").format(
                contact_gap_hours=protocol.contact_gap_hours
            ),
        )
    ]


def _fit(people: Sequence[Recipient], templates: Sequence[MessageTemplate], code: str) -> list[Check]:
    chosen = next((template for template in templates if template.code == code), None)
    if chosen is None:
        return [Check(False, gettext("This trial has no message templates: staff add them."), shape="s-silent")]
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
        use = ngettext("Use “{title}” for it", "Use “{title}” for them", len(who)).format(title=title)
        results.append(
            Check(
                False,
                gettext("{cause_label}: this template is not about that.").format(cause_label=cause_label),
                f"{names(who)}:",
                "s-silent",
                use if better else "",
                better.code if better else "",
                tuple(recipient.study_id for recipient in who[:200]),
            )
        )
    return results or [Check(True, gettext("The template fits what is wrong for each of them"))]


def _texts(trial: Trial, people: Sequence[Recipient], texts: dict[str, Text], edited: set[str]) -> list[Check]:
    results = []
    everything = "".join(text.subject + text.body for text in texts.values())
    if "reconnect_link" in template_engine.used(everything):
        if not live_providers.providers():
            results.append(
                Check(False, gettext("This site has no vendor connection: no link can be made."), shape="s-crit")
            )
        elif not trial.is_demo and any(provider.synthetic for provider in live_providers.providers()):
            text = gettext("A simulator plays the vendor on this site: links are made for demo trials alone.")
            results.append(Check(False, text, shape="s-crit"))
    other = [code for code in texts if code not in edited]
    if edited and other:
        changed = gettext(" and ").join(contacts.LANGUAGES[code] for code in texts if code in edited)
        kept = gettext(" and ").join(contacts.LANGUAGES[code] for code in other)
        results.append(
            Check(
                False,
                gettext("You changed the {changed} text; the {kept} one goes as it is saved.").format(
                    changed=changed, kept=kept
                ),
                shape="s-info",
            )
        )
    sites = {site for recipient in people if (site := recipient.participant.site) and not site.email}
    if sites:
        named = ", ".join(sorted(site.name for site in sites))
        results.append(
            Check(
                False,
                gettext("{named}: no reply address is set; replies go to the sender’s.").format(named=named),
                shape="s-info",
            )
        )
    return results
