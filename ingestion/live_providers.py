"""Live providers as this installation has set them up: the one place where settings meet a vendor's package."""

from __future__ import annotations

import functools

import httpx
from django.conf import settings
from django.core.cache import cache

from ingestion import prometheus
from ingestion.providers import registry
from ingestion.providers.base.live import LiveProvider, SimulatedVendor

# Seconds that an idle connection is kept: a worker stores for a while before it asks for the next participant.
KEPT_ALIVE = 60.0


@functools.cache
def provider(slug: str) -> LiveProvider:
    """Live provider with this slug, with a pool of connections of its own; one a process.

    Raises KeyError for an unknown slug.
    """
    build, options = registry.LIVE_PROVIDERS[slug], settings.LIVE_PROVIDERS[slug]
    return prometheus.counted(build(_client(slug), cache, options))


@functools.cache
def _client(slug: str) -> httpx.Client:
    # No redirect is followed: it could lead the request, and the token in it, to whatever host an answer names.
    return prometheus.TimedClient(slug, limits=httpx.Limits(max_connections=16), follow_redirects=False)


def simulated(slug: str) -> SimulatedVendor | None:
    """Simulator that plays this vendor here; None where the vendor is real."""
    return registry.SIMULATED_VENDORS[slug](httpx.Client(timeout=30.0), settings.LIVE_PROVIDERS[slug])


def providers() -> list[LiveProvider]:
    """Live providers that are set up."""
    return [provider(slug) for slug in settings.LIVE_PROVIDERS]
