"""Encryption of secrets at rest (vendors' tokens, contact data), so that a stolen database opens nobody's account.

The newest of TOKEN_KEYS encrypts, any of them decrypts, so that keys can be rotated.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class CannotDecrypt(Exception):
    """None of the keys decrypts this: the key it was encrypted with has been taken from TOKEN_KEYS."""


@lru_cache(maxsize=4)
def _keys(secrets: tuple[str, ...]) -> MultiFernet:
    if not secrets:
        raise ImproperlyConfigured("TOKEN_KEYS is not set: tokens and contact data cannot be stored without it.")
    # Any long text will do as a key: Fernet wants 32 bytes in base64.
    return MultiFernet([Fernet(base64.urlsafe_b64encode(hashlib.sha256(s.encode()).digest())) for s in secrets])


def encrypt(text: str) -> str:
    """Encrypt and authenticate a text with the newest key. Raises ImproperlyConfigured where no key is set."""
    return _keys(tuple(settings.TOKEN_KEYS)).encrypt(text.encode()).decode()


def decrypt(encrypted: str) -> str:
    """The text that was encrypted, under whichever key. Raises CannotDecrypt."""
    try:
        return _keys(tuple(settings.TOKEN_KEYS)).decrypt(encrypted.encode()).decode()
    except InvalidToken:
        raise CannotDecrypt("No key in TOKEN_KEYS opens this: put the old key back at the list's end.") from None


def under_newest_key(encrypted: str) -> bool:
    """Whether the first of TOKEN_KEYS decrypts this, so that the others are not needed for it."""
    try:
        _keys(tuple(settings.TOKEN_KEYS[:1])).decrypt(encrypted.encode())
    except InvalidToken:
        return False
    return True


def can_decrypt(encrypted: str) -> bool:
    """Whether any of TOKEN_KEYS decrypts this."""
    try:
        decrypt(encrypted)
    except CannotDecrypt:
        return False
    return True


def re_encrypt(encrypted: str) -> str:
    """The same text encrypted with the newest key. Raises CannotDecrypt."""
    return encrypt(decrypt(encrypted))
