"""Registry of all providers: the only module that names every vendor."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ingestion.providers import fitabase, takeout
from ingestion.providers.base.files import FileFormat, NotRead
from ingestion.providers.base.live import LiveProvider, SimulatedVendor
from ingestion.providers.base.synthetic import SyntheticProvider
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


DATA_SUFFIXES = (".csv", ".json", ".csv.gz", ".json.gz")


def left_out(path: str) -> NotRead | None:
    """Reason why a file of this path is left out on purpose, and not opened; None if it is not."""
    return takeout.left_out(path) or fitabase.left_out(path)


def exported(path: str) -> bool:
    """Whether a file of this path shows that what it lies in is an account export, with personal files."""
    return takeout.exported(path)


def unlisted(path: str, *, among_personal: bool) -> NotRead | None:
    """Reason why a file found in a folder or archive is not opened.

    `among_personal`: it lies in an account export, of which files are opened only by a list of names. JSON is no kind
    of file that is opened anywhere else.
    """
    if path.lower().endswith(".zip"):
        return None  # told as what it is: an archive within an archive
    if not path.lower().endswith(DATA_SUFFIXES):
        return NotRead("", "no data file")
    if takeout.listed(path) or fitabase.listed(path):
        return None
    if among_personal or path.lower().endswith((".json", ".json.gz")):
        return NotRead("", "not on the list of files that are opened (name it by itself to have it read)")
    return None
