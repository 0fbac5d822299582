"""The words of the page on which a participant ends reminders, in each language."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """`{study}` is filled in by the page."""

    title: str
    lead: str
    stays: str
    yes: str
    done_title: str
    done_lead: str
    undo: str
    call: str


WORDS: dict[str, Words] = {
    "en": Words(
        title="No more reminders by e-mail?",
        lead="We will then send you no more e-mails that remind you of your watch.",
        stays="You go on taking part as before, and your care stays the same. The study team may still call you.",
        yes="No more reminders",
        done_title="You get no more reminders",
        done_lead="This is in force from now on. You need do nothing else.",
        undo="Send me reminders again",
        call="Questions? Call {site}",
    ),
    "nl": Words(
        title="Geen herinneringen per e-mail meer?",
        lead="We sturen u dan geen e-mails meer die u aan uw horloge herinneren.",
        stays="U doet mee zoals voorheen, en uw zorg blijft hetzelfde. Het onderzoeksteam kan u nog wel bellen.",
        yes="Geen herinneringen meer",
        done_title="U krijgt geen herinneringen meer",
        done_lead="Dit geldt vanaf nu. U hoeft verder niets te doen.",
        undo="Stuur mij weer herinneringen",
        call="Vragen? Bel {site}",
    ),
    "de": Words(
        title="Keine Erinnerungen per E-Mail mehr?",
        lead="Wir schicken Ihnen dann keine E-Mails mehr, die Sie an Ihre Uhr erinnern.",
        stays="Sie nehmen weiter teil wie bisher, und Ihre Behandlung bleibt dieselbe. "
        "Das Studienteam kann Sie weiterhin anrufen.",
        yes="Keine Erinnerungen mehr",
        done_title="Sie bekommen keine Erinnerungen mehr",
        done_lead="Das gilt ab sofort. Sie müssen nichts weiter tun.",
        undo="Wieder Erinnerungen schicken",
        call="Fragen? Rufen Sie {site} an",
    ),
}
