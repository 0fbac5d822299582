"""The link with which a participant ends reminders, and its page: public, in their language, and it can be undone.

Looking changes nothing; only a POST does. Mailboxes send one of their own for who chooses to unsubscribe (RFC 8058):
it carries no cookie and no token of ours, so what lets it in is the signed link alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from participants.forms import SeeOther
from participants.models import Participant
from participants.privacy import contacts
from participants.user_input import form_data

SALT = "dashboards.opt-out"


def code_of(participant: Participant) -> str:
    """The signed text in a participant's link. It never expires: an old e-mail must be good for it too."""
    return signing.dumps(participant.pk, salt=SALT)


def address(participant: Participant) -> str:
    path = reverse("dashboards:opt-out", args=[code_of(participant)])
    return f"{settings.PUBLIC_URL}{path}"


def participant_of(code: str) -> Participant:
    """Whose link it is. Raises Http404."""
    try:
        pk = signing.loads(code, salt=SALT)
    except signing.BadSignature:
        raise Http404("no such link") from None
    here = Participant.objects.exclude(status=Participant.Status.ERASED).select_related("trial", "site", "contact")
    person: Participant = get_object_or_404(here, pk=pk)
    return person


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def opt_out(request: HttpRequest, code: str) -> HttpResponse:
    """Ask whether it is meant; or that it is done, with a way back."""
    person = participant_of(code)
    if request.method == "POST":
        change = contacts.opt_in if form_data(request).get("undo") else contacts.opt_out
        change(person, now=timezone.now())
        return SeeOther(request.path)
    reach = contacts.reach(getattr(person, "contact", None))
    words = WORDS.get(reach.language, WORDS[contacts.DEFAULT_LANGUAGE])
    context = {"trial": person.trial, "site": person.site, "words": words, "reach": reach, "language": reach.language}
    context["call"] = words.call.format(site=person.site.name) if person.site else ""
    return render(request, "dashboards/messaging/opt_out.html", context)


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
