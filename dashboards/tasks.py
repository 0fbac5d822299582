"""What Celery runs for the pages: thin, takes ids, safe to run twice."""

from __future__ import annotations

import logging

from celery import shared_task
from django.utils import timezone

from dashboards import alerts, digests

log = logging.getLogger(__name__)


@shared_task(name="dashboards.watch", acks_late=True)  # type: ignore[untyped-decorator]
def watch() -> None:
    """Each minute: bring every trial's alerts in line with how its participants stand."""
    for trial_id in alerts.trials_to_watch():
        outcome = alerts.watch(trial_id, timezone.now())
        if outcome and outcome.any:
            log.info(
                "trial %s: alerts raised %s, worse %s, better %s, resolved %s",
                trial_id,
                outcome.raised,
                outcome.worse,
                outcome.better,
                outcome.resolved,
            )


@shared_task(name="dashboards.send_digests", acks_late=True)  # type: ignore[untyped-decorator]
def send_digests() -> None:
    """Every five minutes: the digests whose time of day has come in their trial's zone."""
    for membership_id, on in digests.due(timezone.now()):
        if digest := digests.claim(membership_id, on, timezone.now()):
            sent = digests.send(digest, timezone.now())
            log.info("digest %s of %s: %s", digest.pk, on, "sent" if sent else "refused by the mail server")
