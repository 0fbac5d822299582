"""Filters of the heat map, from its address: how many days, days or nights, of which site, in which order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from dashboards.heatmap.svg_paths import DAYS, NIGHTS, Kind
from participants import user_input
from participants.team_texts import gettext

SPANS = {"4w": (gettext("4 weeks"), 28), "8w": (gettext("8 weeks"), 56), "trial": (gettext("Trial"), 0)}
SORTS = {"urgency": gettext("most urgent"), "adherence": gettext("lowest adherence"), "id": gettext("study id")}
# Name -> (label, field of the status summary, what its codes mean).
MEASURES: dict[str, tuple[str, str, tuple[Kind, ...]]] = {
    "days": (gettext("Day status and wear"), "day_codes", DAYS),
    "nights": (gettext("Nights"), "nights", NIGHTS),
}


@dataclass(frozen=True, slots=True)
class HeatmapFilters:
    """Filters that the address asks for; unknown values fall back to the defaults."""

    span: str = "8w"
    measure: str = "days"
    sort: str = "urgency"
    site: str = ""
    page: str = ""

    def query(self, **changes: str) -> str:
        now = {"span": self.span, "show": self.measure, "site": self.site, "sort": self.sort, "page": self.page}
        now |= changes
        defaults = {"span": "8w", "show": "days", "sort": "urgency", "page": "1"}
        return urlencode({k: v for k, v in now.items() if v and defaults.get(k) != v})


def parse_filters(values: user_input.Entered) -> HeatmapFilters:
    def one_of(name: str, known: Mapping[str, Any], default: str) -> str:
        return values.get(name, default) if values.get(name) in known else default

    site = values.get("site", "")[:32]
    return HeatmapFilters(
        one_of("span", SPANS, "8w"), one_of("show", MEASURES, "days"), one_of("sort", SORTS, "urgency"), site,
        values.get("page", "")[:9],
    )  # fmt: skip
