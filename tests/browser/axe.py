"""axe-core, from npm, asked in the page itself: what it finds that keeps somebody from using a page."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.paths import ROOT

SCRIPT = ROOT / "node_modules" / "axe-core" / "axe.min.js"
needs_axe = pytest.mark.skipif(not SCRIPT.is_file(), reason="axe-core is not installed: npm ci")


def violations(page: Page) -> list[str]:
    """What axe finds on the page as it stands, worst first: rule, impact, and where."""
    # Given to the page by the browser and not as an element of it: the pages' own policy stays as it is.
    page.evaluate(SCRIPT.read_text(encoding="utf-8") + "\n0")
    found: list[dict[str, Any]] = page.evaluate(
        "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"
    )
    ranks = ("critical", "serious", "moderate", "minor")
    found.sort(key=lambda one: ranks.index(one["impact"] or "minor"))
    return [_told(one) for one in found]


def _told(one: dict[str, Any]) -> str:
    nodes = one["nodes"]
    where = "; ".join(f"{node['target']} {node['failureSummary']}"[:400] for node in nodes[:3])
    return f"{one['impact']}: {one['id']} ({len(nodes)}) {where}"
