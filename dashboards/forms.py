"""Forms of the pages. They check what people type; rules of the domain are in the services."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.forms import AuthenticationForm


class SignInForm(AuthenticationForm):
    """E-mail and password. One message for all that can be wrong, so that it does not tell who has an account."""

    error_messages: ClassVar[dict[str, str]] = {  # type: ignore[assignment,misc]
        "invalid_login": "E-mail and password do not match.",
        "inactive": "E-mail and password do not match.",
    }
