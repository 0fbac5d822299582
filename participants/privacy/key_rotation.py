"""Rotation of TOKEN_KEYS: puts everything that is encrypted under the newest key, and counts what is not yet.

What is encrypted is found by itself: the text fields called encrypted_*, and the secrets of second factors. A batch of
rows is one transaction and rows that are done are passed over, so a run that was cut short is simply started again,
and the site may stay up meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import models, transaction

from participants import audit
from participants.privacy import encryption

BATCH = 200
PREFIX = "encrypted_"
# Every encrypted text begins so: Fernet's version, and the first bytes of a time stamp of this century.
MARK = "gAAAAA"
SECOND_FACTORS = ("mfa", "Authenticator", "data")


@dataclass(slots=True)
class KeyUse:
    """Counts of a model's encrypted texts: under the newest key, under an older one, under a key that is gone."""

    name: str
    newest: int = 0
    older: int = 0
    lost: int = 0


def stores() -> Iterator[tuple[type[models.Model], list[str]]]:
    """Models with encrypted fields, and the names of those."""
    for model in apps.get_models():
        texts = [field for field in model._meta.concrete_fields if isinstance(field, models.TextField)]
        columns = [field.name for field in texts if field.name.startswith(PREFIX)]
        app, name, column = SECOND_FACTORS
        if (model._meta.app_label, model.__name__) == (app, name):
            columns.append(column)
        if columns:
            yield model, columns


def check() -> list[KeyUse]:
    """Number of texts under which key, by model. Changes nothing."""
    uses = []
    for model, columns in stores():
        counts = KeyUse(str(model._meta.verbose_name_plural))
        for values in model._default_manager.values_list(*columns).iterator(chunk_size=2_000):
            for encrypted in (text for value in values for text in _texts(value)):
                if encryption.under_newest_key(encrypted):
                    counts.newest += 1
                elif encryption.can_decrypt(encrypted):
                    counts.older += 1
                else:
                    counts.lost += 1
        uses.append(counts)
    return uses


def rotate_keys(progress: Callable[[str, int], object] = lambda name, rows: None) -> dict[str, int]:
    """Put everything under the newest key. Rows changed, by model; those that no key opens are left as they are."""
    changed = {}
    for model, columns in stores():
        name = str(model._meta.verbose_name_plural)
        changed[name], last = 0, 0
        while pks := list(_after(model, last)):
            changed[name] += _batch(model, columns, pks)
            last = pks[-1]
            progress(name, changed[name])
    if any(changed.values()):
        audit.record("keys.rotate", new=changed)
    return changed


def _after(model: type[models.Model], last: int) -> models.QuerySet[Any, Any]:
    return model._default_manager.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]


@transaction.atomic
def _batch(model: type[models.Model], columns: list[str], pks: list[int]) -> int:
    """Re-encrypt these rows, locked: a token that is refreshed meanwhile must not be lost."""
    rows = model._default_manager.select_for_update(of=("self",)).filter(pk__in=pks)
    changed = 0
    for row in rows:
        fresh = {name: _re_encrypted(getattr(row, name)) for name in columns}
        if any(fresh[name] != getattr(row, name) for name in columns):
            changed += model._default_manager.filter(pk=row.pk).update(**fresh)
    return changed


def _texts(value: Any) -> Iterator[str]:
    """The encrypted texts in a column's value: itself, or within JSON."""
    if isinstance(value, str):
        if value.startswith(MARK):
            yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


def _re_encrypted(value: Any) -> Any:
    """Value with its encrypted texts under the newest key."""
    if isinstance(value, str):
        old = value.startswith(MARK) and not encryption.under_newest_key(value) and encryption.can_decrypt(value)
        return encryption.re_encrypt(value) if old else value
    if isinstance(value, dict):
        return {key: _re_encrypted(part) for key, part in value.items()}
    return [_re_encrypted(part) for part in value] if isinstance(value, list) else value
