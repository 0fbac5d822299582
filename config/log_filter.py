"""Keeps what opens doors out of the logs: codes in links that were sent to people, and in a vendor's redirect.

Servers log each request's address, and Django those it refuses. Needs no Django: gunicorn's settings use it too.
"""

from __future__ import annotations

import logging
import re

LINK = re.compile(r"(/(?:connect|opt-out|account/join|account/password/reset)/)[^\s\"'>]+")


class WithoutLinks(logging.Filter):
    """Cuts the addresses of participants' pages short in a record's message. Lets every record through."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if LINK.search(message):
            record.msg, record.args = LINK.sub(r"\1…", message), ()
        return True
