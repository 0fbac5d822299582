"""E-mail backend that counts what the mail server said: for participants' e-mails, digests and notices of accounts."""

from __future__ import annotations

import smtplib

from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend
from prometheus_client import Counter

SENT = Counter("wearable_emails_sent", "E-mails handed to the mail server, by what it said.", ["outcome"])


class Counting(EmailBackend):
    """Django's SMTP backend. Outcomes: sent; refused for good; later (asked to come again); unsure; away."""

    def open(self) -> bool | None:
        try:
            return super().open()
        except (smtplib.SMTPException, OSError):
            SENT.labels("away").inc()
            raise

    def _send(self, email_message: EmailMessage) -> bool:
        try:
            sent = bool(super()._send(email_message))  # type: ignore[misc]  # the stubs leave it out
        except (smtplib.SMTPException, OSError) as fault:
            SENT.labels(outcome(fault)).inc()
            raise
        if sent:  # a message without recipients is none
            SENT.labels("sent").inc()
        return sent


def outcome(fault: Exception) -> str:
    """Outcome of a message whose acceptance the server refused."""
    match fault:
        case smtplib.SMTPRecipientsRefused():
            final = all(code >= 500 for code, _ in fault.recipients.values())
            return "refused" if final else "later"
        case smtplib.SMTPResponseException():
            return "refused" if fault.smtp_code >= 500 else "later"
        case _:
            return "unsure"
