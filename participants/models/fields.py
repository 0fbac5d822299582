"""Model fields with the bounds of what people enter (participants.user_input). In the database they are Django's
own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

from participants.user_input import check_day, check_line

if TYPE_CHECKING:
    DayField = models.DateField
    LineField = models.CharField
else:

    class _AsDjangos:
        """Migrations know the field as Django's: its bounds are checked by full_clean, forms and serializers."""

        base = ""

        def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
            name, _, args, kwargs = super().deconstruct()
            return name, f"django.db.models.{self.base}", args, kwargs

    class DayField(_AsDjangos, models.DateField):
        """A date that somebody enters."""

        base = "DateField"
        default_validators = [check_day]  # noqa: RUF012  as Django's fields have it

    class LineField(_AsDjangos, models.CharField):
        """Text of one line: it ends up in headers, subjects, and lines of files and logs."""

        base = "CharField"
        default_validators = [check_line]  # noqa: RUF012
