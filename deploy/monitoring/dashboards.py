"""Writes Grafana's dashboards from the table of panels to `deploy/monitoring/grafana/dashboards/`. Run by make."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from deploy.monitoring.panels import DASHBOARDS, Panel

FOLDER = Path(__file__).resolve().parent / "grafana" / "dashboards"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 3
WIDTH, HEIGHT = 24 // COLUMNS, 8


def panel(number: int, given: Panel) -> dict[str, Any]:
    """Grafana's form of one panel, at its place in the grid."""
    targets = [
        {"datasource": SOURCE, "refId": chr(65 + place), "expr": query, "legendFormat": legend or "__auto"}
        for place, (query, legend) in enumerate(given.queries)
    ]
    row, column = divmod(number, COLUMNS)
    return {
        "id": number + 1,
        "type": given.kind,
        "title": given.title,
        "datasource": SOURCE,
        "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": given.unit, "min": 0}, "overrides": []},
        "targets": targets,
    }


def dashboard(name: str) -> str:
    """Dashboard as the text of its file."""
    title, panels = DASHBOARDS[name]
    choice = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Source", "hide": 0}
    made = {
        "uid": f"wearable-{name}",
        "title": title,
        "tags": ["wearable-trials"],
        "timezone": "browser",
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [choice]},
        "links": [{"type": "dashboards", "title": "Wearable Trials", "tags": ["wearable-trials"], "asDropdown": True}],
        "panels": [panel(number, each) for number, each in enumerate(panels)],
    }
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in DASHBOARDS:
        (FOLDER / f"{name}.json").write_text(dashboard(name), encoding="utf-8")
        sys.stdout.write(f"{FOLDER / name}.json\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
