"""Keeps what opens doors out of the logs: the codes in invitations' links, and what a vendor's redirect carries.

Servers log each request's address, and Django those it refuses. Needs no Django: gunicorn's settings use it too.
"""

from __future__ import annotations

import logging
import re

LINK = re.compile(r"(/(?:connect|opt-out)/)[^\s\"'>]+")


class WithoutLinks(logging.Filter):
    """Cuts the addresses of participants' pages short in a record's message. Lets every record through."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if LINK.search(message):
            record.msg, record.args = LINK.sub(r"\1…", message), ()
        return True
