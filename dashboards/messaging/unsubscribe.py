"""The link with which a participant ends reminders, and its page: public, in their language, and it can be undone.

Looking changes nothing; only a POST does. Mailboxes send one of their own for who chooses to unsubscribe (RFC 8058):
it carries no cookie and no token of ours, so what lets it in is the signed link alone.
"""

from __future__ import annotations

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
from participants.privacy import contacts, languages
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
    with languages.in_language(reach.language):
        context = {"trial": person.trial, "site": person.site, "reach": reach}
        return render(request, "dashboards/messaging/opt_out.html", context)
