"""Content security policy and its like: what a browser may do with our pages, as plain values for the settings.

Nothing inline runs and nothing is evaluated: pages carry no style, no script and no handler of their own, and each
file comes from this site, but for the chart libraries where the CDN is allowed (with an integrity hash each).
"""

from __future__ import annotations

from typing import Any

from csp.constants import NONE, SELF

# Features that no page of ours uses and browsers know: of others they complain on every page. Passkeys need
# publickey-credentials-*, copying a link clipboard-write: not here.
DENIED_FEATURES = (
    "accelerometer",
    "autoplay",
    "browsing-topics",
    "camera",
    "display-capture",
    "encrypted-media",
    "geolocation",
    "gyroscope",
    "hid",
    "idle-detection",
    "local-fonts",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "screen-wake-lock",
    "serial",
    "usb",
    "xr-spatial-tracking",
)
PERMISSIONS = ", ".join(f"{name}=()" for name in DENIED_FEATURES)

# Where the chart libraries lie. `dashboards.participant_detail.charts.libraries` names the files; a test keeps the two
# together.
CHARTS_CDN = "https://cdn.jsdelivr.net/npm/"


def content_policy(*, charts_from_cdn: bool, report_to: str = "") -> dict[str, Any]:
    """django-csp's CONTENT_SECURITY_POLICY. `report_to`: the address that browsers send violations to; empty: none."""
    directives: dict[str, Any] = {
        "default-src": [NONE],
        "script-src": [SELF, *([CHARTS_CDN] if charts_from_cdn else [])],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
    if report_to:
        directives["report-uri"] = [report_to]
    return {"DIRECTIVES": directives}
