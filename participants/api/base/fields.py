"""Fields of serializers that several resources share."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from participants.api.base.exceptions import BadParameters
from participants.user_input import canonical_address, check_day, check_line

CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$"


class ChoiceOrNull(serializers.ChoiceField):
    """A word that is read; null where there is none, which the database keeps as an empty text."""

    def __init__(self, choices: Any, **kwargs: Any) -> None:
        super().__init__(choices, read_only=True, allow_null=True, **kwargs)

    def to_representation(self, value: Any) -> Any:
        return super().to_representation(value) or None


class Day(serializers.DateField):
    """A date that somebody enters, within the bounds of participants.user_input."""

    default_validators = [check_day]  # noqa: RUF012  as REST framework has it


class Line(serializers.CharField):
    """Text of one line."""

    default_validators = [check_line]  # noqa: RUF012


class Address(serializers.EmailField):
    """An account's e-mail address, however it is written: given on as it is looked up."""

    def to_internal_value(self, value: Any) -> str:
        return canonical_address(super().to_internal_value(value))


@extend_schema_field({"type": "string", "pattern": CLOCK, "examples": ["21:00:00"]})
class LocalTime(serializers.TimeField):
    """A time of the day somewhere, without an offset: 21:00 or 21:00:00."""

    def to_internal_value(self, value: Any) -> dt.time:
        if not isinstance(value, str) or not re.match(CLOCK[:-1] + r"\Z", value):
            raise serializers.ValidationError("A time of the day: 21:00.")
        return dt.time.fromisoformat(value)


# REST framework takes 79 for a text and "yes" for a boolean; the document promises neither.
KINDS: tuple[tuple[type[serializers.Field[Any, Any, Any, Any]], tuple[type, ...], str], ...] = (
    (serializers.CharField, (str,), "Must be a text."),
    (serializers.BooleanField, (bool,), "Must be true or false."),
    (serializers.IntegerField, (int,), "Must be a whole number."),
    (serializers.FloatField, (int, float), "Must be a number."),
)


def check_json_types(serializer: serializers.BaseSerializer[Any], data: Any) -> None:
    """Refuse a body's values of another JSON type than their fields'. Raises BadParameters, which names each."""
    if not isinstance(data, dict) or not isinstance(serializer, serializers.Serializer):
        return
    errors: dict[str, list[str]] = {}
    for name, field in serializer.fields.items():
        value = data.get(name)
        for kind, types, message in KINDS:
            wrong = not isinstance(value, types) or (isinstance(value, bool) and bool not in types)
            if value is not None and isinstance(field, kind) and wrong:
                errors[name] = [message]
    if errors:
        raise BadParameters(errors)
