"""Participants' links are secrets: they do not stand in the logs of servers."""

from __future__ import annotations

import logging

import pytest

from config.log_filter import WithoutLinks


def filtered(message: str, *arguments: object) -> str:
    record = logging.LogRecord("server", logging.INFO, "", 0, message, arguments, None)
    assert WithoutLinks().filter(record)
    return record.getMessage()


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
