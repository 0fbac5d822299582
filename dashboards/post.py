"""The mail server's edge: one message, and its answer in three kinds. What it says in its own words is not kept.

Servers repeat addresses in their answers: only codes leave this module.
"""

from __future__ import annotations

import re
import smtplib
from contextlib import suppress

from django.core.mail import EmailMessage, get_connection

ENHANCED = re.compile(rb"\b([245]\.\d{1,3}\.\d{1,3})\b")
WORDS = {
    "1": "there is no such address",
    "2": "the mailbox does not take mail",
    "3": "the mail system does not take this",
    "4": "the mail could not be routed",
    "6": "the message could not be converted",
    "7": "refused by a policy",
}
# Enhanced codes whose second number is about the address, not about us or the message.
OF_ADDRESS = ("1", "2")


class NotNow(Exception):
    """Not taken for the time being, and certainly not sent: worth another attempt."""


class Refused(Exception):
    """Not taken, for good. `address`: it is the address's fault, so that writing there again is useless."""

    def __init__(self, words: str, *, address: bool) -> None:
        super().__init__(words)
        self.address = address


class Unsure(Exception):
    """The server fell silent while it may already have taken the message."""


def words(code: int | str, text: bytes | str = b"") -> str:
    """A server's answer without its own words: "550 5.1.1, there is no such address"."""
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    found = ENHANCED.search(raw)
    enhanced = found.group(1).decode() if found else ""
    said = WORDS.get(enhanced.split(".")[1], "") if enhanced else ""
    return " ".join(part for part in (str(code), enhanced) if part) + (f", {said}" if said else "")


def about_address(text: bytes | str) -> bool:
    """Whether an enhanced code in an answer speaks of the recipient's address."""
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    found = ENHANCED.search(raw)
    return bool(found) and found.group(1).decode().split(".")[1] in OF_ADDRESS if found else False


def deliver(message: EmailMessage) -> None:
    """Hand one message to the mail server, over a connection of its own. Raises NotNow, Refused or Unsure."""
    connection = get_connection()
    try:
        connection.open()
    except smtplib.SMTPAuthenticationError as fault:
        raise NotNow(f"the mail server refuses our login ({words(fault.smtp_code, fault.smtp_error)})") from None
    except (smtplib.SMTPException, OSError) as fault:
        raise NotNow(f"the mail server is away ({type(fault).__name__})") from None
    try:
        connection.send_messages([message])
    except smtplib.SMTPRecipientsRefused as fault:
        code, text = next(iter(fault.recipients.values()))
        _refused(code, text, address=True)
    except smtplib.SMTPResponseException as fault:
        _refused(fault.smtp_code, fault.smtp_error, address=about_address(fault.smtp_error))
    except (UnicodeError, ValueError, smtplib.SMTPNotSupportedError):
        raise Refused("the address or the subject cannot be written in an e-mail", address=False) from None
    except (smtplib.SMTPException, OSError) as fault:
        raise Unsure(f"the mail server fell silent ({type(fault).__name__})") from None
    finally:
        # The answer to the message is in; how the server takes our goodbye changes nothing about it.
        with suppress(smtplib.SMTPException, OSError):
            connection.close()


def _refused(code: int, text: bytes | str, *, address: bool) -> None:
    """Codes from 500 are final, others ask for another attempt."""
    if code < 500:
        raise NotNow(words(code, text))
    raise Refused(words(code, text), address=address)
