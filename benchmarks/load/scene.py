"""A trial under way for the load to meet: people with a history, all connected, and managers who are signed in."""

from __future__ import annotations

import datetime as dt
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks import stack

CODE = "LOAD"
NEARLY_A_DAY = dt.timedelta(hours=23, minutes=30)
# Some of a trial are not connected, paused or gone: so many more are made that enough are.
SPARE = 1.09
ACCOUNTS = 1.25  # of these, the vendor's people who have a device
SITE_EVERY = 4  # each fourth manager sees one site alone


def people(made: stack.Stack, count: int, days: int) -> list[int]:
    """Make the trial; connect `count` of its people to the vendor. Returns the connections, none of them due."""
    from django.utils import timezone

    from benchmarks.monitoring_data import fill
    from ingestion.models import Connection
    from ingestion.providers.base.live import Grant
    from metrics.models import Access
    from participants.models import Participant
    from participants.privacy import encryption

    now = timezone.now()
    trial = fill(CODE, int(count * SPARE) + 5, days, now=now)
    participants = Participant.objects.filter(
        trial=trial, status="active", status_summary__access=Access.OK, status_summary__excused=""
    )
    accounts = [account for account in made.sim("accounts")["accounts"] if account["linked"]]
    # As if everybody had last been read a day ago: what is due is a day, and neither backfill nor a sweep.
    common = {"trial": trial, "provider": "google_health", "status": Connection.Status.ACTIVE, "connected_at": now}
    common |= {"last_pull_at": now - NEARLY_A_DAY, "swept_at": now, "next_due_at": now + dt.timedelta(days=1)}
    rows = []
    for participant, account in zip(participants.order_by("pk")[:count], accounts, strict=False):
        grant = stack.grant(made, account["number"], Grant)
        connection = Connection(participant=participant, external_user_id=account["health_id"], **common)
        connection.scopes, connection.token_expires_at = sorted(grant.scopes or ()), grant.expires_at
        connection.encrypted_tokens = encryption.encrypt(json.dumps([grant.access_token, grant.refresh_token]))
        rows.append(connection)
    if len(rows) < count:
        raise SystemExit(f"Only {len(rows)} of {count} could be connected")
    return [connection.pk for connection in Connection.objects.bulk_create(rows)]


def warm(made: stack.Stack, count: int) -> None:
    """Have the vendor make everybody's last days beforehand, as a vendor's are there when they are asked for."""
    import httpx

    now = dt.datetime.now(dt.UTC)
    span = {"start": (now - dt.timedelta(days=1)).isoformat(), "end": now.isoformat(), "format": "arrow"}

    with httpx.Client(timeout=60) as http:

        def one(number: int) -> None:
            params = {"user": str(number), "type": "heart-rate", **span}
            http.get(f"{made.address}/_sim/truth", params=params).raise_for_status()

        numbers = [account["number"] for account in made.sim("accounts")["accounts"] if account["connected"]][:count]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(one, numbers))


def managers(count: int) -> dict[str, Any]:
    """Accounts with a second factor, a session and a token each, as signing in and the account's page make them.

    What locust is told: the sessions, the tokens, and by site ("" for all) the study ids that can be opened.
    """
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
    from django.conf import settings
    from django.test import Client
    from django.utils import timezone

    from participants.models import Membership, Participant, Site, Trial, User
    from participants.services.api_tokens import token_create

    trial = Trial.objects.get(code=CODE)
    sites, managers = list(Site.objects.filter(trial=trial)), []
    expires = timezone.now() + dt.timedelta(days=1)
    for number in range(count):
        user = User.objects.create_user(f"manager{number}@example.org")
        site = sites[number // SITE_EVERY % len(sites)] if number % SITE_EVERY == 0 else None
        Membership.objects.create(user=user, trial=trial, site=site, role=Membership.Role.MANAGER)
        TOTP.activate(user, generate_totp_secret())
        browser = Client()
        browser.force_login(user)
        _, key = token_create(user=user, name="load", expires_at=expires)
        session = browser.cookies[settings.SESSION_COOKIE_NAME].value
        managers.append({"session": session, "token": key, "site": site.code if site else ""})
    everybody = list(Participant.objects.filter(trial=trial).values_list("study_id", "site__code"))
    by_site = {site.code: [who for who, where in everybody if where == site.code] for site in sites}
    return {"trial": CODE, "managers": managers, "people": {"": [who for who, _ in everybody], **by_site}}
