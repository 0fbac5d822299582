"""Celery tasks of the pages: thin, take ids, safe to run twice."""

from __future__ import annotations

import logging

from celery import shared_task
from django.utils import timezone

from dashboards.alerts import digests
from dashboards.alerts import engine as alerts_engine
from dashboards.messaging import sending
from dashboards.messaging import services as messaging_services
from metrics.monitoring import pending

log = logging.getLogger(__name__)


@shared_task(name="dashboards.watch", acks_late=True)  # type: ignore[untyped-decorator]
def watch() -> None:
    """Each minute: update the alerts that differ from what the rules say of their participants."""
    pending.settle()
    for trial_id, people in alerts_engine.trials_to_watch(timezone.now()).items():
        outcome = alerts_engine.watch(trial_id, timezone.now(), people)
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


@shared_task(name="dashboards.send_due", acks_late=True)  # type: ignore[untyped-decorator]
def send_due() -> None:
    """Each minute, and when a user presses Send: send the e-mails that are due."""
    if sent := sending.send_due():
        log.info("%s e-mails sent", sent)


@shared_task(name="dashboards.close_loop", acks_late=True)  # type: ignore[untyped-decorator]
def close_loop() -> None:
    """Each minute: note whose data came back after they were written to."""
    if back := messaging_services.outreach_close_loop(timezone.now()):
        log.info("data came back after %s contacts", back)
