"""The chart libraries: one pinned version each, from the CDN or from our own copy in static/vendor.

The browser takes them from the CDN with an integrity hash and falls back to the copies; see static/js/charts.js.
Both are the same bytes: a test compares the hashes below with the files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.templatetags.static import static

CDN = "https://cdn.jsdelivr.net/npm"


@dataclass(frozen=True, slots=True)
class Library:
    """An npm package's browser build. `path` is the file inside the package; `integrity` its SRI hash."""

    package: str
    version: str
    path: str
    integrity: str

    @property
    def cdn_url(self) -> str:
        return f"{CDN}/{self.package}@{self.version}/{self.path}"

    @property
    def vendor_path(self) -> str:
        """Path under static/."""
        return f"vendor/{self.package}-{self.version}/{self.path.rsplit('/', 1)[-1]}"


# In the order in which they must run: the adapter needs the other two.
LIBRARIES = (
    Library(
        "chart.js",
        "4.6.1",
        "dist/chart.umd.min.js",
        "sha384-Emf5ZVIUiarAdhkgtqK+5/Z5qIvM6QoVrS+qAVtfyZVuD5lIHrac0me485+Antp0",
    ),
    Library(
        "luxon",
        "3.7.2",
        "build/global/luxon.min.js",
        "sha384-MPG/j0tMZel8D/wdSK2M2n+fUXFQ6lHE3r5wnJZ25xVC8KKtBOvT9BGMOmLfSxGT",
    ),
    Library(
        "chartjs-adapter-luxon",
        "1.3.1",
        "dist/chartjs-adapter-luxon.umd.min.js",
        "sha384-7cWzHabR6ZyfMWzZgVssYaOQRTccHUWZ0F09AanlF3RAJ/JNyFnIma2JTYIVKEUP",
    ),
)


def loading_plan() -> dict[str, Any]:
    """Plan by which the page's script loads the libraries, ready for `json_script`."""
    return {
        "cdn": settings.CHARTS_FROM_CDN,
        "libraries": [
            {"cdn": library.cdn_url, "integrity": library.integrity, "local": static(library.vendor_path)}
            for library in LIBRARIES
        ],
    }
