"""What Celery runs. Thin: a task takes ids, calls a service and is safe to run twice."""

from __future__ import annotations

import logging

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from ingestion import synthetic

log = logging.getLogger(__name__)


@shared_task(name="ingestion.extend_demo", acks_late=True)  # type: ignore[untyped-decorator]
def extend_demo() -> None:
    """Keep the demo alive: one pull for each live synthetic device."""
    for device_id in synthetic.devices_active(live=True).values_list("pk", flat=True):
        pull_synthetic.delay(device_id)


@shared_task(name="ingestion.pull_synthetic_days", acks_late=True)  # type: ignore[untyped-decorator]
def pull_synthetic_days() -> None:
    """One pull for each synthetic device whose days come whole, where synthetic data is switched on."""
    if not settings.SYNTHETIC:
        return
    for device_id in synthetic.devices_active(live=False).values_list("pk", flat=True):
        pull_synthetic.delay(device_id)


@shared_task(name="ingestion.pull_synthetic", acks_late=True)  # type: ignore[untyped-decorator]
def pull_synthetic(device_id: int) -> None:
    """Take in what a synthetic device has measured since the last pull."""
    try:
        for step in synthetic.device_pull(device_id, now=timezone.now()):
            log.info("synthetic device %s: %s new until %s", device_id, step.counts.new, step.until.isoformat())
    except synthetic.DeviceBusy:
        log.info("synthetic device %s is being pulled by another worker", device_id)
