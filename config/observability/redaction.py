"""Redaction of logs: keeps out credentials and identities, which are codes in links, queries, addresses, rows' values.

Needs no Django: gunicorn's settings use it too. What an exception says is cut where it quotes a row or a recipient;
see `exception_text`.
"""

from __future__ import annotations

import re

# Codes in links that were sent to people, and in a vendor's redirect.
LINK = re.compile(r"(/(?:connect|opt-out|account/join|account/password/reset)/)[^\s\"'>]+")
# What was asked of a page may be a name that somebody looked for.
QUERY = re.compile(r"(/[^\s\"'?<>]*)\?[^\s\"<>]+")
EMAIL = re.compile(r"[\w.+'%-]+@[\w-]+(?:\.[\w-]+)+")
TOKEN = re.compile(r"\b(Bearer|Basic) [\w.~+/=-]+", re.IGNORECASE)
SECRET = re.compile(r"(://[^\s:/@]*:)[^\s@]+@")
# PostgreSQL quotes whole rows and values in these.
ROW = re.compile(r"(DETAIL|CONTEXT):[^\n]*(?:\n(?!\s*(?:HINT|DETAIL|CONTEXT|Traceback|\n))[^\n]+)*")
KEY = re.compile(r"(Key \([^=]*\))=\(.*?\)(?= (?:already|is not|is still|conflicts))", re.DOTALL)
VALUE = re.compile(r"(invalid (?:input|byte|value)[^\n:]*: ?).*")


def cleaned(text: str) -> str:
    """A log line without them."""
    text = LINK.sub(r"\1…", text)
    text = QUERY.sub(r"\1?…", text)
    text = SECRET.sub(r"\1…@", text)
    text = KEY.sub(r"\1=(…)", text)
    text = ROW.sub(r"\1: …", text)
    text = VALUE.sub(r"\1…", text)
    text = TOKEN.sub(r"\1 …", text)
    return EMAIL.sub("…@…", text)


def exception_text(error: BaseException) -> str:
    """An exception's type and what of its words may be written down.

    Databases quote rows, mail servers recipients: of theirs only the code is kept, which tells what went wrong.
    """
    kind = type(error)
    name = f"{kind.__module__}.{kind.__qualname__}" if kind.__module__ != "builtins" else kind.__qualname__
    cause = error.__cause__ or error
    if isinstance(state := getattr(cause, "sqlstate", None), str):
        constraint = getattr(getattr(cause, "diag", None), "constraint_name", None)
        return f"{name}: SQLSTATE {state}" + (f", {constraint}" if constraint else "")
    if kind.__module__ == "smtplib":
        return f"{name}: {getattr(error, 'smtp_code', 'refused')}"
    words = str(error)
    return f"{name}: {cleaned(words)}" if words else name
