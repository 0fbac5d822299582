"""A row of the trial's table as HTML, drawn once for the same words.

Nothing but its arguments goes into a row, so it need not be drawn again for the next manager who sees the same words;
whoever sees others (another site's, another minute's) asks for another row. Kept in the process's memory alone.
"""

from __future__ import annotations

from functools import lru_cache

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from dashboards.roster_rows import Row

# About 4 kB each, in each web process.
ROWS_KEPT = 4096


@lru_cache(maxsize=ROWS_KEPT)
def drawn(row: Row, trial: str, manages: bool, listed: str) -> SafeString:
    """`trial`: its code. `manages`: whether who looks may act for them. `listed`: the query string of the list."""
    context = {"row": row, "trial": trial, "manages": manages, "listed": listed}
    return render_to_string("dashboards/_person.html", context)
