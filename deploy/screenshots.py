"""Screenshots of the main pages for docs/screenshots: wide, as a phone shows them, and dark, of a demo that runs.

    make demo            # in one terminal, until "The demo trial is complete."
    make screenshots     # in another; PORT as for the demo

Needs Debian's chromium or another one that is installed. Nothing is changed in the demo.
"""

from __future__ import annotations

import base64
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from config.embedded.supervisor import DEMO_LOGINS, DEMO_PASSWORD

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "screenshots"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUALITY = 78
ALL_TOGETHER = 6_000_000  # bytes that the repository can bear
SOMEBODY = "DEMO-021"  # the battery is flat, whenever the demo began
TRIAL = "/trials/DEMO/"


@dataclass(frozen=True, slots=True)
class Variant:
    """`tallest`: of a longer page the beginning is shown, in CSS pixels."""

    name: str
    width: int
    height: int
    tallest: int
    scheme: str = "light"
    scale: float = 1.0


VARIANTS = (
    Variant("wide", 1440, 1000, 1700),
    Variant("dark", 1440, 1000, 1700, scheme="dark"),
    Variant("phone", 390, 844, 1700, scale=2.0),
)
PAGES = {
    "trial": TRIAL,
    "heatmap": f"{TRIAL}heatmap/",
    "participant": f"{TRIAL}participants/{SOMEBODY}/",
    "contact": f"{TRIAL}contact/?to={SOMEBODY}",
    "contacts": f"{TRIAL}contacts/",
    "alerts": f"{TRIAL}alerts/",
    "adherence": f"{TRIAL}adherence/",
    "protocol": f"{TRIAL}protocol/",
    "connections": f"{TRIAL}sync/",
}


def main() -> int:
    """Take them all; returns 1, with a line that says why, where that cannot be done."""
    address = f"http://127.0.0.1:{os.environ.get('PORT') or 8000}"
    browser = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if browser is None:
        sys.stderr.write(f"There is no browser here: install one of {', '.join(BROWSERS)}.\n")
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--hide-scrollbars"])
        for variant in VARIANTS:
            _take_all(started, address, variant)
    total = sum(path.stat().st_size for path in FOLDER.iterdir())
    sys.stdout.write(f"{FOLDER}: {total / 1e6:.1f} MB\n")
    return 1 if total > ALL_TOGETHER else 0


def _take_all(browser: Browser, address: str, variant: Variant) -> None:
    context = browser.new_context(
        base_url=address,
        viewport={"width": variant.width, "height": variant.height},
        device_scale_factor=variant.scale,
        color_scheme="dark" if variant.scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto("/login/")
    _take(page, "login", variant)
    page.get_by_label("E-mail").fill(DEMO_LOGINS[0])
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")
    for name, path in PAGES.items():
        answer = page.goto(path)
        if answer is None or not answer.ok:
            raise SystemExit(f"{path} answers {answer and answer.status}: does the demo run, and is it complete?")
        # The pages ask for news every some seconds; what is drawn by scripts is there once nothing is under way.
        page.wait_for_load_state("networkidle")
        _take(page, name, variant)
    context.close()


def _take(page: Page, name: str, variant: Variant) -> None:
    """Take a screenshot as WebP, which the driver's own screenshots cannot be."""
    height = min(int(page.evaluate("document.documentElement.scrollHeight")), variant.tallest)
    page.set_viewport_size({"width": variant.width, "height": max(height, variant.height)})
    page.wait_for_timeout(400)  # charts follow the window's size
    session = page.context.new_cdp_session(page)
    taken = session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    session.detach()
    (FOLDER / f"{name}-{variant.name}.webp").write_bytes(base64.b64decode(taken["data"]))
    page.set_viewport_size({"width": variant.width, "height": variant.height})


if __name__ == "__main__":
    sys.exit(main())
