"""Models of what can be measured, and by which device: metrics and sources."""

from __future__ import annotations

from django.db import models

from metrics.batch import SourceKey
from metrics.registry import Aggregate, Kind


class Metric(models.Model):
    """The registry as a table, for joins and foreign keys: filled from registry.py after each migrate."""

    id = models.SmallIntegerField(primary_key=True)
    code = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    unit = models.CharField("UCUM unit", max_length=20)
    kind = models.CharField(max_length=8, choices=[(k.value, k.value) for k in Kind])
    aggregate = models.CharField(max_length=4, choices=[(a.value, a.value) for a in Aggregate])
    concept = models.CharField(max_length=40)
    concept_system = models.CharField(max_length=60)
    plausible_low = models.FloatField()
    plausible_high = models.FloatField()

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return self.code


class Source(models.Model):
    """Source of measurements: provider, platform, device model."""

    id = models.SmallAutoField(primary_key=True)
    provider = models.CharField(max_length=40)
    platform = models.CharField(max_length=60, blank=True)
    device_model = models.CharField(max_length=80, blank=True)
    synthetic = models.BooleanField(default=False)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("provider", "platform", "device_model", "synthetic"), name="source_once"),
        )

    def __str__(self) -> str:
        return " · ".join(part for part in (self.provider, self.platform, self.device_model) if part)

    @property
    def key(self) -> SourceKey:
        return SourceKey(self.provider, self.platform, self.device_model, self.synthetic)
