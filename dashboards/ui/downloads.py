"""Downloads of lists, as CSV or as a workbook: `?format=` of the page that shows them. Each is audited."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, cast
from urllib.parse import urlencode

from django.http import FileResponse, HttpRequest, HttpResponseBase, StreamingHttpResponse

from participants.audit import record
from participants.models import Trial
from participants.tables import XLSX, Column, Workbook, csv_lines
from participants.team_texts import gettext
from participants.user_input import query_params

FORMS = ("csv", "xlsx")


@dataclass(frozen=True, slots=True)
class Table:
    """A list as a table. `name`: of the file, without its ending; `what`: the list, as the audit trail names it."""

    name: str
    what: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[Any]]
    count: int


def form(request: HttpRequest) -> str:
    """The form that a request wants to take away; empty where it wants the page."""
    requested = query_params(request).get("format", "")
    return requested if requested in FORMS else ""


def response(request: HttpRequest, trial: Trial, table: Table, *, thing: str = "") -> HttpResponseBase:
    """The list in the form that the request wants; no cache keeps it."""
    requested = form(request)
    record("trial.download", trial=trial, thing=thing, new={"list": table.what, "format": requested})
    headers = {
        "Content-Disposition": gettext('attachment; filename="{table}.{requested}"').format(
            table=table.name, requested=requested
        ),
        "Cache-Control": gettext("private, no-store"),
    }
    names = [column.name for column in table.columns]
    if requested == "csv":
        lines = csv_lines(names, table.rows)
        return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)
    file = tempfile.TemporaryFile()  # noqa: SIM115  the answer closes it
    address = request.build_absolute_uri(f"{request.path}?{urlencode({**query_params(request), 'format': 'csv'})}")
    book = Workbook(cast(BinaryIO, file), table.what.capitalize(), names, count=table.count, csv=address)
    for row in table.rows:
        book.add(row)
    book.close([("column", "meaning"), *((column.name, column.meaning) for column in table.columns)])
    file.seek(0)
    return FileResponse(file, content_type=XLSX, headers=headers)
