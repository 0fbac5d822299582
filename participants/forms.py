"""Form fields with the bounds of what people enter (participants.user_input), and the responses to a form."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpResponseRedirect

from participants.user_input import check_day, check_line


class Decoder(json.JSONDecoder):
    """JSON of a form. A number of thousands of digits and what is nested too deeply are malformed, too."""

    def decode(self, s: str, *args: Any) -> Any:
        try:
            return super().decode(s, *args)
        except json.JSONDecodeError:
            raise
        except (ValueError, RecursionError) as error:
            raise json.JSONDecodeError(str(error)[:100], "", 0) from None


class DayField(forms.DateField):
    """A date, chosen by the browser's own picker."""

    default_validators = [check_day]  # noqa: RUF012  as Django's fields have it

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
        super().__init__(**kwargs)


class LineField(forms.CharField):
    """Text of one line."""

    default_validators = [check_line]  # noqa: RUF012


class SeeOther(HttpResponseRedirect):
    """Redirect after a form: the browser asks for the next page with GET, and a reload does not send the form again."""

    status_code = 303


def refusal_text(refused: Exception) -> str:
    """Text of a service's refusal, for who sent the form."""
    return " ".join(refused.messages) if isinstance(refused, ValidationError) else str(refused)
