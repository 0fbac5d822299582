"""SMTP client: sends one message and sorts the server's reply into three kinds. The reply's own text is not kept.

Servers repeat addresses in their replies: only codes leave this module.
"""

from __future__ import annotations

import re
import smtplib
from contextlib import suppress

from django.core.mail import EmailMessage, get_connection

ENHANCED = re.compile(rb"\b([245]\.\d{1,3}\.\d{1,3})\b")
REPLY_TEXTS = {
    "1": "there is no such address",
    "2": "the mailbox does not take mail",
    "3": "the mail system does not take this",
    "4": "the mail could not be routed",
    "6": "the message could not be converted",
    "7": "refused by a policy",
}
EXACT_REPLY_TEXTS = {"5.2.1": "the mailbox is closed for the time being", "5.2.2": "the mailbox is full"}
# Enhanced codes (RFC 3463, 3.2; RFC 7505) by which there is no such address: writing there again is useless.
NO_SUCH_ADDRESS = frozenset({"5.1.0", "5.1.1", "5.1.2", "5.1.3", "5.1.4", "5.1.6", "5.1.10"})
# The same without an enhanced code, where a server answers to the recipient.
REFUSED_RECIPIENT = (550, 551, 553)
# The address is right, and its mailbox may take mail again: asked later, although the server calls it final.
LATER = frozenset(EXACT_REPLY_TEXTS)


class NotNow(Exception):
    """Not taken for the time being, and certainly not sent: worth another attempt."""


class Refused(Exception):
    """Not taken, for good. `address`: it is the address's fault, so that writing there again is useless."""

    def __init__(self, text: str, *, address: bool) -> None:
        super().__init__(text)
        self.address = address


class Unsure(Exception):
    """The server fell silent while it may already have taken the message."""


def reply_text(code: int | str, text: bytes | str = b"") -> str:
    """Text for a server's reply, from its codes alone: "550 5.1.1, there is no such address"."""
    enhanced_code = enhanced(text)
    text_of_code = EXACT_REPLY_TEXTS.get(enhanced_code, "")
    if enhanced_code and not text_of_code:
        text_of_code = REPLY_TEXTS.get(enhanced_code.split(".")[1], "")
    return " ".join(part for part in (str(code), enhanced_code) if part) + (f", {text_of_code}" if text_of_code else "")


def enhanced(text: bytes | str) -> str:
    """Enhanced code in a reply, e.g. 5.1.1; empty where there is none."""
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    match = ENHANCED.search(raw)
    return match.group(1).decode() if match else ""


def no_such_address(code: int, text: bytes | str, *, recipient: bool) -> bool:
    """Whether a reply says that there is no such address. `recipient`: it was given to the RCPT command."""
    enhanced_code = enhanced(text)
    return enhanced_code in NO_SUCH_ADDRESS if enhanced_code else recipient and code in REFUSED_RECIPIENT


def deliver(message: EmailMessage) -> None:
    """Hand one message to the mail server, over a connection of its own. Raises NotNow, Refused or Unsure."""
    connection = get_connection()
    try:
        connection.open()
    except smtplib.SMTPAuthenticationError as fault:
        raise NotNow(f"the mail server refuses our login ({reply_text(fault.smtp_code, fault.smtp_error)})") from None
    except (smtplib.SMTPException, OSError) as fault:
        raise NotNow(f"the mail server is away ({type(fault).__name__})") from None
    try:
        connection.send_messages([message])
    except smtplib.SMTPRecipientsRefused as fault:
        code, text = next(iter(fault.recipients.values()))
        _refused(code, text, recipient=True)
    except smtplib.SMTPResponseException as fault:
        _refused(fault.smtp_code, fault.smtp_error, recipient=False)
    except (UnicodeError, ValueError, smtplib.SMTPNotSupportedError):
        raise Refused("the address or the subject cannot be written in an e-mail", address=False) from None
    except (smtplib.SMTPException, OSError) as fault:
        raise Unsure(f"the mail server fell silent ({type(fault).__name__})") from None
    finally:
        # The answer to the message is in; how the server takes our goodbye changes nothing about it.
        with suppress(smtplib.SMTPException, OSError):
            connection.close()


def _refused(code: int, text: bytes | str, *, recipient: bool) -> None:
    """Codes from 500 are final, but for those of LATER; others ask for another attempt."""
    if code < 500 or enhanced(text) in LATER:
        raise NotNow(reply_text(code, text))
    raise Refused(reply_text(code, text), address=no_such_address(code, text, recipient=recipient))
