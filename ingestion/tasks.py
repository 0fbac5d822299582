"""Celery tasks. Thin: a task takes ids, calls a service and is safe to run twice."""

from __future__ import annotations

import logging

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from ingestion import synthetic
from ingestion.connections import end_of_collection, queueing
from ingestion.connections import services as connections_services
from ingestion.file_imports import undo
from ingestion.models import ImportFile
from ingestion.sync import claims, dispatch, notifications

log = logging.getLogger(__name__)

# Seconds: what is due sooner than this does not wait for the next tick.
SOON = 90.0


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


@shared_task(name="ingestion.tick", acks_late=True)  # type: ignore[untyped-decorator]
def tick() -> None:
    """Each minute: give back what killed workers held, queue what is due, take up notices that were left."""
    now = timezone.now()
    if released := claims.release_stale(now):
        log.warning("%s windows were claimed by workers that are gone; they are due again", released)
    for connection_id in dispatch.due(now):
        sync_connection.delay(connection_id)
    for delivery_id in dispatch.notices_left(now):
        handle_notice.delay(delivery_id)
    for connection_id in connections_services.give_back_due(now):
        give_back.delay(connection_id)


@shared_task(name="ingestion.end_connections", acks_late=True)  # type: ignore[untyped-decorator]
def end_connections(trial_id: int) -> None:
    """End the connections of a trial that was closed."""
    log.info(
        "trial %s is closed: %s connections ended", trial_id, end_of_collection.end_trial(trial_id, now=timezone.now())
    )


@shared_task(name="ingestion.end_over", acks_late=True)  # type: ignore[untyped-decorator]
def end_over() -> None:
    """Once a day: end connections of which nothing more may come."""
    if ended := end_of_collection.end_over(timezone.now()):
        log.info("%s connections ended: nothing more may come of them", ended)


@shared_task(name="ingestion.give_back", acks_late=True)  # type: ignore[untyped-decorator]
def give_back(connection_id: int) -> None:
    """Ask a vendor to take a grant back."""
    connections_services.give_back(connection_id, now=timezone.now())


@shared_task(name="ingestion.undo_import", acks_late=True)  # type: ignore[untyped-decorator]
def undo_import(pk: int) -> None:
    """Go on with the undoing of an import where it stands, to its end."""
    undo.undo_run(pk)


@shared_task(name="ingestion.resume_undoings", acks_late=True)  # type: ignore[untyped-decorator]
def resume_undoings() -> None:
    """Now and then: an import whose undoing a killed worker left is gone on with."""
    for pk in ImportFile.objects.filter(status=ImportFile.Status.UNDOING).values_list("pk", flat=True):
        undo_import.delay(pk)


@shared_task(name="ingestion.sync_connection", acks_late=True)  # type: ignore[untyped-decorator]
def sync_connection(connection_id: int) -> None:
    """Serve one connection for a while; if there is more to do soon, queue up again behind the others."""
    outcome = dispatch.serve(connection_id)
    if outcome.windows or outcome.failed or outcome.note:
        log.info(
            "connection %s: %s windows, %s failed, %s points in %s requests, %s new %s",
            connection_id,
            outcome.windows,
            outcome.failed,
            outcome.points,
            outcome.requests,
            outcome.counts.new,
            outcome.note,
        )
    if outcome.wait is not None and outcome.wait <= SOON:
        queueing.queue_connection(connection_id, outcome.wait)


@shared_task(name="ingestion.handle_notice", acks_late=True)  # type: ignore[untyped-decorator]
def handle_notice(delivery_id: int) -> None:
    """Make due what a notice names, and pull it once the burst it may belong to is over."""
    for connection_id in notifications.handle(delivery_id):
        queueing.queue_connection(connection_id, notifications.BURST.total_seconds())
