"""Set-up of Google Health in an installation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from ingestion.providers.google_health.client import GoogleHealth
from ingestion.providers.google_health.config import GoogleConfig
from ingestion.providers.google_health.signing_keys import Cache
from ingestion.providers.google_health.simulator.browser_session import BrowserSession


def build(http: httpx.Client, cache: Cache, options: Mapping[str, Any]) -> GoogleHealth:
    """Provider for options `client_id`, `client_secret`, `webhook_secret`, `timeout`, `use_fields`,
    `data_source_family` and `simulator_url`.

    With the last, everything is asked of the simulator at that address and marked as synthetic.
    """
    addresses: dict[str, Any] = {}
    if simulator := options.get("simulator_url"):
        addresses = {
            "auth_url": f"{simulator}/o/oauth2/v2/auth",
            "token_url": f"{simulator}/token",
            "revoke_url": f"{simulator}/revoke",
            "api_url": simulator,
            "keyset_url": f"{simulator}/webhooks_public_keyset.json",
            "synthetic": True,
        }
    return GoogleHealth(
        GoogleConfig(
            client_id=options["client_id"],
            client_secret=options["client_secret"],
            webhook_secret=options.get("webhook_secret", ""),
            timeout=options.get("timeout", 30.0),
            use_fields=options.get("use_fields", True),
            data_source_family=options.get("data_source_family") or None,
            **addresses,
        ),
        http,
        cache=cache,
    )


def simulated(http: httpx.Client, options: Mapping[str, Any]) -> BrowserSession | None:
    """Simulator that plays Google here, None where Google itself is asked."""
    address = options.get("simulator_url")
    return BrowserSession(http, str(address)) if address else None
