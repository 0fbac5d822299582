"""Data inventory: the tables that hold data about a participant, found from the models, so that none is forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from django.apps import apps
from django.db.models import CASCADE, ForeignKey, Model, QuerySet

from participants.models import AuditDetail, AuditEntry, Erasure, Participant

# What tells that something was done. It stays after an erasure; its details do not (participants.privacy.erasure).
STAYS: tuple[type[Model], ...] = (AuditEntry, AuditDetail, Erasure)


@dataclass(frozen=True, slots=True)
class DataInventoryEntry:
    """A table with rows about participants. `path`: the lookup that leads from a row to the participant."""

    model: type[Model]
    path: str

    def of(self, participant: Participant) -> QuerySet[Model]:
        """The rows about one participant."""
        return self.model._default_manager.filter(**{self.path: participant})


@cache
def data_inventory() -> tuple[DataInventoryEntry, ...]:
    """Every table with a path to Participant, the furthest first: rows that hang on others come before those."""
    paths: dict[type[Model], str] = {Participant: "pk"}
    news = True
    while news:
        news = False
        for model in apps.get_models(include_auto_created=True):
            if model in paths or model in STAYS:
                continue
            for field in model._meta.get_fields():
                if not isinstance(field, ForeignKey) or _weak(field):
                    continue
                target = field.related_model
                if isinstance(target, type) and target in paths:
                    paths[model] = field.name if target is Participant else f"{field.name}__{paths[target]}"
                    news = True
                    break
    return tuple(DataInventoryEntry(model, path) for model, path in reversed(paths.items()) if model is not Participant)


def _weak(field: ForeignKey[Model, Model]) -> bool:
    """Whether the row only mentions the other one and lives without it."""
    return field.null and field.remote_field.on_delete is not CASCADE
