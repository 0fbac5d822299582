"""The content security policy: what it allows, and that pages have nothing inline that it would stop."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from config.middleware.content_security_policy import CHARTS_CDN, content_policy
from dashboards.messaging.demo_mailbox import style_hashes
from dashboards.participant_detail.charts.libraries import LIBRARIES
from tests.factories import MembershipFactory
from tests.paths import ROOT

HANDLER = re.compile(r"<[^>]*\s(?:on[a-z]+|style|hx-on[^=]*)=", re.IGNORECASE)
INLINE = re.compile(r"<script(?![^>]*\bsrc=)[^>]*>|<style[ >]|javascript:", re.IGNORECASE)


def policy_of(response: Any) -> dict[str, list[str]]:
    parts = [part.split() for part in response.headers["Content-Security-Policy"].split("; ")]
    return {name: values for name, *values in parts}


def test_nothing_inline_and_nothing_evaluated_is_allowed() -> None:
    for cdn in (True, False):
        allowed = {value for values in content_policy(charts_from_cdn=cdn)["DIRECTIVES"].values() for value in values}
        assert not {value for value in allowed if "unsafe" in value or value in ("*", "https:", "blob:")}


def test_scripts_come_from_here_and_the_charts_cdn_only_where_it_is_used() -> None:
    assert content_policy(charts_from_cdn=False)["DIRECTIVES"]["script-src"] == ["'self'"]
    assert content_policy(charts_from_cdn=True)["DIRECTIVES"]["script-src"] == ["'self'", CHARTS_CDN]
    assert all(library.cdn_url.startswith(CHARTS_CDN) for library in LIBRARIES)


@pytest.mark.django_db
def test_a_page_carries_the_policy(client: Client) -> None:
    client.force_login(MembershipFactory.create().user)
    policy = policy_of(client.get("/"))
    assert policy["default-src"] == ["'none'"]
    assert policy["form-action"] == ["'self'"]
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["object-src"] == ["'none'"]


@pytest.mark.parametrize("template", sorted((ROOT / "templates").rglob("*.html")), ids=lambda path: path.name)
def test_no_template_has_inline_script_or_style(template: Path) -> None:
    if "mail" in template.parts:
        pytest.skip("e-mails have no stylesheet to refer to")
    text = re.sub(r"{#.*?#}|{% comment %}.*?{% endcomment %}", "", template.read_text(), flags=re.DOTALL)
    assert not HANDLER.findall(text)
    assert not INLINE.findall(text)


def test_an_emails_styles_are_named_one_by_one() -> None:
    named = style_hashes('<style>p{color:red}</style><p style="margin:0"><b style="margin:0">')
    assert named[0] == "'unsafe-hashes'"
    assert len(named) == 3
    assert style_hashes("<p>plain</p>") == []
