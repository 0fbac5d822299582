"""Secrets at rest (vendors' tokens, contact data), so that a stolen database opens nobody's account.

Sealed with the newest of TOKEN_KEYS, opened with any of them, so that keys can be rotated.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class CannotOpen(Exception):
    """None of the keys opens this: the key it was sealed with has been taken from TOKEN_KEYS."""


@lru_cache(maxsize=4)
def _keys(secrets: tuple[str, ...]) -> MultiFernet:
    if not secrets:
        raise ImproperlyConfigured("TOKEN_KEYS is not set: tokens and contact data cannot be stored without it.")
    # Any long text will do as a key: Fernet wants 32 bytes in base64.
    return MultiFernet([Fernet(base64.urlsafe_b64encode(hashlib.sha256(s.encode()).digest())) for s in secrets])


def seal(text: str) -> str:
    """Encrypt and authenticate. Raises ImproperlyConfigured where no key is set."""
    return _keys(tuple(settings.TOKEN_KEYS)).encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """What was sealed. Raises CannotOpen."""
    try:
        return _keys(tuple(settings.TOKEN_KEYS)).decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise CannotOpen("No key in TOKEN_KEYS opens this: put the old key back at the list's end.") from None


def newest(sealed: str) -> bool:
    """Whether the first of TOKEN_KEYS opens this, so that the others are not needed for it."""
    try:
        _keys(tuple(settings.TOKEN_KEYS[:1])).decrypt(sealed.encode())
    except InvalidToken:
        return False
    return True


def opens(sealed: str) -> bool:
    """Whether any of TOKEN_KEYS opens this."""
    try:
        unseal(sealed)
    except CannotOpen:
        return False
    return True


def reseal(sealed: str) -> str:
    """The same under the newest key. Raises CannotOpen."""
    return seal(unseal(sealed))
