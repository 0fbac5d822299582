"""All providers: the only module that names every vendor."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ingestion.providers import fitabase, takeout
from ingestion.providers.base import FileFormat, LiveProvider, SimulatedVendor, SyntheticProvider
from ingestion.providers.google_health.setup import build as google_health
from ingestion.providers.google_health.setup import simulated as google_health_simulated
from ingestion.providers.synthetic.provider import Generator
from ingestion.providers.wearipedia.provider import Wearipedia

# Asked in this order; the first that matches reads the file.
FILE_FORMATS: tuple[FileFormat, ...] = (*fitabase.FORMATS, *takeout.FORMATS)

# By slug: what makes a live provider of a pool of HTTP connections, a cache and the installation's options.
LIVE_PROVIDERS: Mapping[str, Callable[..., LiveProvider]] = {"google_health": google_health}

# By slug: the simulator that plays a vendor, made of a pool of HTTP connections and the installation's options.
SIMULATED_VENDORS: Mapping[str, Callable[..., SimulatedVendor | None]] = {"google_health": google_health_simulated}

# Devices that do not exist, for demo trials. The first live one feeds the demo trial itself.
SYNTHETIC_PROVIDERS: tuple[SyntheticProvider, ...] = (Generator(), Wearipedia())


def left_out(path: str) -> str | None:
    """Why a file of this path is left out on purpose, and not opened; None if it is not."""
    return takeout.left_out(path) or fitabase.left_out(path)


def unlisted(path: str) -> str | None:
    """Why a file found in a folder or archive is not opened: exports with personal files are read by a list only."""
    return takeout.unlisted(path)
