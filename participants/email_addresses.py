"""E-mail addresses of accounts, in the one form in which they are stored, looked up and counted.

Databases and programs fold letters differently: to PostgreSQL the long s (U+017F) and s, the dotless i (U+0131) and i
are equal where case does not matter, to Python they are not. So no lookup ignores case: both sides are canonical and
compared as they are, and what is counted for an address is counted under the same words.
"""

from __future__ import annotations

import unicodedata


def canonical(address: str) -> str:
    """An address without space around it, in compatibility form (NFKC) and small letters. The same again: itself."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", address).strip().lower())
