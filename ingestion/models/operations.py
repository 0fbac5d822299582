"""Models of our own programs: who runs the schedule, and which workers have been heard of."""

from __future__ import annotations

from django.db import models


class Heartbeat(models.Model):
    """Heartbeat of a program, past the queue: a full queue and a dead worker differ.

    The scheduler's row is its lease too: who holds it sends what is due, and nobody else until `lease_until`.
    """

    class Kind(models.TextChoices):
        SCHEDULER = "scheduler", "scheduler"
        SYNC = "sync", "sync worker"
        EXPORTS = "exports", "exports worker"
        PROBE = "probe", "probe"  # what the health check writes, to see whether anything can be written

    name = models.CharField(max_length=200, unique=True)
    kind = models.CharField(max_length=9, choices=Kind)
    holder = models.CharField(max_length=200)
    beaten_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("kind", "name")

    def __str__(self) -> str:
        return f"{self.name} {self.beaten_at:%Y-%m-%d %H:%M:%S}"
