"""Row changes by services: under the row's lock, only what differs, with old and new value for the audit trail."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import models

Row = TypeVar("Row", bound=models.Model)
Values = dict[str, Any]


def locked(row: Row) -> Row:
    """The row as it is stored now, held until the transaction ends.

    Rows that point at it may be written meanwhile: who stores a participant's data holds the participant's lock
    and does so.
    """
    # Not type(row): a request's user is a proxy.
    stored: Row = row.__class__._default_manager.select_for_update(no_key=True).get(pk=row.pk)
    return stored


def plain(value: Any) -> Any:
    """A value as it stands in the audit trail: dates and times ISO, rows by their name or code."""
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, models.Model):
        return str(getattr(value, "code", value))
    return value


def change(row: Row, changes: Mapping[str, Any], *, may: Collection[str]) -> tuple[Values, Values]:
    """Give a row new values, check all of it and store what differs.

    Returns old and new values of what differed, as the audit trail takes them; two empty dicts: nothing did.
    Raises TypeError for a field that is not among `may`, django's ValidationError for bad values.
    """
    if strange := sorted(set(changes) - set(may)):
        raise TypeError(f"{type(row).__name__} has no field {', '.join(strange)} to change.")
    differing = {name: value for name, value in changes.items() if getattr(row, name) != value}
    if not differing:
        return {}, {}
    old = {name: plain(getattr(row, name)) for name in differing}
    for name, value in differing.items():
        setattr(row, name, value)
    row.full_clean()
    row.save(update_fields=list(differing))
    return old, {name: plain(getattr(row, name)) for name in differing}


def fixed(changes: Mapping[str, Any], row: models.Model, names: Collection[str], why: str) -> None:
    """Raise django's ValidationError, by field, where any of these would be changed."""
    if wrong := {name: why for name in names if name in changes and changes[name] != getattr(row, name)}:
        raise ValidationError(wrong)
