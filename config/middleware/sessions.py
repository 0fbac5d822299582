"""Session middleware: a session that cannot be written fails no page; what was read is still shown."""

from __future__ import annotations

import logging

from django.contrib.sessions.middleware import SessionMiddleware
from django.db import Error
from django.http import HttpRequest, HttpResponse

from config.errors.outages import FULL, READ_ONLY, SAFE, outage_of

log = logging.getLogger(__name__)


class Sessions(SessionMiddleware):
    """Django's, but for a full disk or a standby: a page that was only read goes out, its session's clock unmoved."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        try:
            return super().process_response(request, response)
        except Error as fault:
            if request.method not in SAFE or outage_of(fault) not in (FULL, READ_ONLY):
                raise
            log.warning("a session could not be stored: %s", type(fault.__cause__ or fault).__name__)
            return response
