"""Template tags of the account pages: a form's field in the product's look, and where each page stands."""

from __future__ import annotations

from typing import Any

import segno
from django import template
from django.conf import settings
from django.forms import BoundField
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from participants import team_texts
from participants.accounts import session_middleware, two_factor
from participants.models import User
from participants.team_texts import gettext

register = template.Library()


@register.inclusion_tag("account/_field.html")
def form_field(bound: BoundField, label: str = "", hint: str = "", **attributes: Any) -> dict[str, Any]:
    """A labelled input with its hint and errors. Underscores in names of attributes become hyphens.

    Label and hint are marked as _("Name") in the template, and put in the team's language here.
    """
    label, hint = (team_texts.gettext(text) if text else "" for text in (label, hint))
    about = [f"{bound.auto_id}-{part}" for part, there in (("hint", hint), ("error", bound.errors)) if there]
    given = {name.replace("_", "-"): value for name, value in attributes.items() if value not in ("", None, False)}
    attrs = {**given, "class": "input", "placeholder": ""}
    if about:
        attrs["aria-describedby"] = " ".join(about)
    if bound.errors:
        attrs |= {"aria-invalid": "true", "autofocus": True}
    bound.field.widget.attrs.pop("placeholder", None)
    attrs.pop("placeholder")
    return {"field": bound, "widget": bound.as_widget(attrs=attrs), "label": label or bound.label, "hint": hint}


@register.simple_tag
def session_life_of(request: HttpRequest) -> SafeString:
    """Meta element for static/js/session.js: how long the session lives, and where to ask again."""
    return format_html(
        '<meta name="session" content="{}" data-idle="{}" data-left="{}">',
        reverse("dashboards:session"),
        settings.SESSION_IDLE_MINUTES * 60,
        session_middleware.seconds_left(request),
    )


@register.simple_tag
def qr(text: str) -> SafeString:
    """A QR code as SVG, to stand in a page."""
    drawn = segno.make(text, error="m").svg_inline(
        scale=4, border=2, omitsize=True, title=gettext("QR code for the app")
    )
    return mark_safe(drawn)  # noqa: S308  segno draws numbers, and our own title


@register.filter
def needs_factor(user: User) -> bool:
    """Whether a user has to set up a second factor before going on."""
    return two_factor.missing(user)
