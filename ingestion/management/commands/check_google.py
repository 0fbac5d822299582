"""`manage.py check_google`: check the set-up, from the settings alone and one request to Google."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import NoReverseMatch, reverse

from ingestion import live_providers
from ingestion.providers.base.errors import AccessGone, ClientMisconfigured, VendorError
from ingestion.providers.google_health.client import GoogleHealth

# A token that nobody was ever given: Google says whether it is the token or we that it refuses.
NONSENSE = "1//no-such-token"
SHORTEST_SECRET = 24


@dataclass(frozen=True, slots=True)
class Finding:
    """Line of the report. `wrong` None: nothing that can be checked, but should be known."""

    wrong: bool | None
    text: str


class Command(BaseCommand):
    help = "Check the settings of the Google Health connection, line by line. Exit status 1 if anything is wrong."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--offline", action="store_true", help="do not ask Google whether it takes the credentials")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = [*client(), *token_keys(), *public_url(), *webhook()]
        if not options["offline"] and not any(finding.wrong for finding in client()):
            findings += credentials()
        findings += notes()
        marks = {True: self.style.ERROR("WRONG"), False: self.style.SUCCESS("ok   "), None: "note "}
        for finding in findings:
            self.stdout.write(f"{marks[finding.wrong]} {finding.text}")
        if wrong := sum(1 for finding in findings if finding.wrong):
            raise CommandError(f"{wrong} to be put right. docs/google-health-setup.md says how.")


def client() -> Iterator[Finding]:
    """Check the form of the credentials."""
    if settings.GOOGLE_SIMULATOR_URL:
        yield Finding(None, f"GOOGLE_SIMULATOR_URL is set: {settings.GOOGLE_SIMULATOR_URL} is asked, and not Google.")
        if not settings.CLIENT_ID:
            return
    if not settings.CLIENT_ID:
        yield Finding(True, "CLIENT_ID is not set: nobody can connect.")
    elif not re.fullmatch(r"\d+-[a-z0-9]+\.apps\.googleusercontent\.com", settings.CLIENT_ID):
        yield Finding(True, "CLIENT_ID does not look like one: 1234567890-abc123.apps.googleusercontent.com.")
    else:
        yield Finding(False, "CLIENT_ID has the form of one.")
    if not settings.CLIENT_SECRET:
        yield Finding(True, "CLIENT_SECRET is not set.")
    elif settings.CLIENT_SECRET.strip() != settings.CLIENT_SECRET or len(settings.CLIENT_SECRET) < 20:
        yield Finding(True, "CLIENT_SECRET is too short or has spaces around it: copy it anew.")
    else:
        yield Finding(False, "CLIENT_SECRET has the length of one.")


def token_keys() -> Iterator[Finding]:
    """Check the keys that encrypt participants' tokens."""
    if not settings.TOKEN_KEYS:
        yield Finding(True, "TOKEN_KEYS is not set: tokens cannot be stored. Give it a long random value.")
    elif short := sum(1 for key in settings.TOKEN_KEYS if len(key) < 32):
        yield Finding(True, f"TOKEN_KEYS: {short} of {len(settings.TOKEN_KEYS)} keys are shorter than 32 characters.")
    else:
        yield Finding(False, f"TOKEN_KEYS holds {len(settings.TOKEN_KEYS)}; the first one encrypts.")


def public_url() -> Iterator[Finding]:
    """Check the public address by Google's rules for redirects: HTTPS and a name, but for this machine itself."""
    parts = urlsplit(settings.PUBLIC_URL)
    host = parts.hostname or ""
    local = host == "localhost" or _loopback(host)
    if parts.path or parts.query or not host:
        yield Finding(
            True, f"PUBLIC_URL must be scheme and host alone, such as https://trials.example.org: {parts.geturl()}"
        )
    elif not local and parts.scheme != "https":
        yield Finding(True, "PUBLIC_URL must begin with https://, or Google refuses the redirect.")
    elif not local and _address(host):
        yield Finding(True, "PUBLIC_URL must not be a raw IP address: Google wants a name.")
    elif not local and "." not in host:
        yield Finding(True, "PUBLIC_URL must be a public name: Google refuses host names without a domain.")
    elif local:
        yield Finding(None, "PUBLIC_URL is this machine: good for trying it out; no participant can reach it.")
    else:
        yield Finding(False, "PUBLIC_URL is one that Google takes.")
    try:
        callback = reverse("ingestion:callback", args=[GoogleHealth.slug])
    except NoReverseMatch as error:
        yield Finding(True, f"The page that Google sends participants back to is missing: {error}")
        return
    yield Finding(
        None, f"Register this redirect address with the OAuth client, letter by letter: {settings.PUBLIC_URL}{callback}"
    )


def _address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _loopback(host: str) -> bool:
    return _address(host) and ipaddress.ip_address(host).is_loopback


def webhook() -> Iterator[Finding]:
    """Check the secret that comes with Google's notices."""
    if not settings.WEBHOOK_SECRET:
        yield Finding(None, "WEBHOOK_SECRET is not set: notices are refused, data come with the regular passes only.")
    elif len(settings.WEBHOOK_SECRET) < SHORTEST_SECRET:
        yield Finding(True, f"WEBHOOK_SECRET is shorter than {SHORTEST_SECRET} characters: it can be guessed.")
    else:
        yield Finding(False, "WEBHOOK_SECRET is long enough. `google_webhooks list` tells whether Google knows it.")


def credentials() -> Iterator[Finding]:
    """Check whether Google accepts our credentials."""
    try:
        live_providers.provider(GoogleHealth.slug).refresh(NONSENSE)
    except AccessGone:
        yield Finding(False, "The credentials are taken (a made-up token was refused, as it should be).")
    except ClientMisconfigured as fault:
        yield Finding(
            True, f"The credentials are refused ({fault.code}): CLIENT_ID and CLIENT_SECRET do not belong together."
        )
    except VendorError as fault:
        yield Finding(True, f"Google could not be asked ({fault.code}). Is the network open to oauth2.googleapis.com?")
    else:
        yield Finding(True, "A made-up token was taken: this is not Google.")


def notes() -> Iterator[Finding]:
    """Notes on what no setting tells."""
    yield Finding(
        None,
        "While the consent screen is in Testing, every grant ends after 7 days and only listed test users can connect.",
    )
    yield Finding(
        None,
        "Until Google has verified the app, no more than 100 accounts can ever connect. Verification takes months.",
    )
