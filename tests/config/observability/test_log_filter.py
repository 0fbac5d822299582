"""Participants' links are secrets: they do not stand in the logs of servers."""

from __future__ import annotations

import pytest

from config.observability.redaction import cleaned


def filtered(message: str, *arguments: object) -> str:
    given = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], dict) else arguments
    return cleaned(message % given if arguments else message)


@pytest.mark.parametrize(
    "address",
    ["/connect/WzFd:1x:sig/", "/connect/WzFd:1x:sig/to/vendor/", "/connect/callback/vendor/?state=a&code=b&scope=c+d"],
)
def test_the_address_of_a_participant_s_page_is_cut_short(address: str) -> None:
    assert filtered('"%s" %s', f"GET {address} HTTP/1.1", 200) == '"GET /connect/… HTTP/1.1" 200'


def test_a_referring_address_is_cut_short_too() -> None:
    referrer = "https://trials.example.org/connect/WzFd:1x:sig/"
    line = filtered("%(r)s %(f)s", {"r": "GET /static/css/app.css HTTP/1.1", "f": referrer})
    assert line == "GET /static/css/app.css HTTP/1.1 https://trials.example.org/connect/…"


def test_other_records_stay_as_they_are() -> None:
    assert filtered("%s is 100%% done", "import") == "import is 100% done"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("GET /trials/a/contacts/?q=Anna+Berg&page=2 HTTP/1.1", "GET /trials/a/contacts/?… HTTP/1.1"),
        ("https://trials.example.org/admin/?q=anna's", "https://trials.example.org/admin/?…"),
        ("sent to anna.berg@example.org now", "sent to …@… now"),
        ("Authorization: Bearer wt_abc.DEF-123", "Authorization: Bearer …"),
        ("postgresql://user:secret@host/name", "postgresql://user:…@host/name"),
        ("DETAIL:  Key (email)=(anna@example.org) already exists.", "DETAIL: …"),
        ("a\nDETAIL:  Failing row contains (1, Anna\nBerg).\nHINT:  b", "a\nDETAIL: …\nHINT:  b"),
        ("Key (lower(name))=(anna berg) already exists.", "Key (lower(name))=(…) already exists."),
        ('invalid input syntax for type integer: "Anna"', "invalid input syntax for type integer: …"),
        ("celery@worker-1 ready.", "celery@worker-1 ready."),
    ],
)
def test_who_people_are_stands_in_no_line(text: str, left: str) -> None:
    assert cleaned(text) == left
