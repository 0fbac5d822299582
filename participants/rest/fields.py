"""Fields of serializers that several resources share."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$"


class WordOrNull(serializers.ChoiceField):
    """A word that is read; null where there is none, which the database keeps as an empty text."""

    def __init__(self, choices: Any, **kwargs: Any) -> None:
        super().__init__(choices, read_only=True, allow_null=True, **kwargs)

    def to_representation(self, value: Any) -> Any:
        return super().to_representation(value) or None


@extend_schema_field({"type": "string", "pattern": CLOCK, "examples": ["21:00:00"]})
class LocalTime(serializers.TimeField):
    """A time of the day somewhere, without an offset: 21:00 or 21:00:00."""

    def to_internal_value(self, value: Any) -> dt.time:
        if not isinstance(value, str) or not re.match(CLOCK[:-1] + r"\Z", value):
            raise serializers.ValidationError("A time of the day: 21:00.")
        return dt.time.fromisoformat(value)
