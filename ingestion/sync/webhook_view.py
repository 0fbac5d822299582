"""Endpoint for vendors' notices: prove the origin, keep the notice, answer at once. Work comes afterwards."""

from __future__ import annotations

import logging
from functools import partial

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from ingestion import live_providers
from ingestion.providers.base.errors import VendorError
from ingestion.providers.base.live import NoticeOrigin
from ingestion.sync import notifications
from participants.task_queue import enqueue, hand_over

log = logging.getLogger(__name__)

MOST_BYTES = 1024 * 1024
ANSWERS = {
    NoticeOrigin.UNPROVEN: 401,
    NoticeOrigin.UNREADABLE: 400,
    NoticeOrigin.FORGED: 403,
    NoticeOrigin.VERIFICATION: 201,
}


@csrf_exempt
@require_POST
def webhook(request: HttpRequest, provider: str) -> HttpResponse:
    """204: the notice is stored. 201: the vendor's trial call. 503: ask us again.

    400: no message. 401, 403: not the vendor's. 413: too long. What the proofs are made of, and what a notice says, is
    never logged.
    """
    try:
        vendor = live_providers.provider(provider)
    except KeyError:
        return HttpResponse(status=404)
    if int(request.headers.get("Content-Length") or 0) > MOST_BYTES:
        return HttpResponse(status=413)
    body = request.body
    try:
        origin = vendor.notice_origin(request.headers, body)
    except VendorError as fault:
        log.warning("a notice of %s could not be checked: %s", vendor.name, fault.code)
        return HttpResponse(status=503)
    if origin is not NoticeOrigin.GENUINE:
        return HttpResponse(status=ANSWERS[origin])
    with transaction.atomic():
        delivery = notifications.receive(provider, body, timezone.now())
        # Without a broker the notice waits for beat, and the vendor need not send it again.
        transaction.on_commit(partial(hand_over, partial(enqueue, "ingestion.handle_notice"), delivery.pk))
    return HttpResponse(status=204)
