"""Downloads that can be taken up again: Content-Length, Accept-Ranges, Range and If-Range (RFC 9110, section 14)."""

from __future__ import annotations

import re

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from metrics.exports import archive, service, store
from metrics.models import Export, ExportFile
from participants.tables import XLSX

RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)\Z")
DIGITS = 20  # a position of more lies beyond the end of every file
TYPES = {
    ".parquet": "application/vnd.apache.parquet",
    ".gz": "application/gzip",
    ".zst": "application/zstd",
    ".xlsx": XLSX,
    ".csv": "text/csv; charset=utf-8",
    ".ndjson": "application/x-ndjson",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
}


class Unsatisfiable(Exception):
    """The byte range that was asked for lies beyond the end."""


def file_response(request: HttpRequest, export: Export, path: str) -> HttpResponseBase:
    """One file of an export; each response that holds bytes of it is noted in the trail.

    Raises ExportFile.DoesNotExist where there is none, or no more, and StoreFault where it cannot be had from here.
    """
    file = service.export_file(export, path)
    content = archive.Archive(export, [archive.Piece(file.size, path=path)], file.size, file.sha256[:32])
    kind = next((kind for suffix, kind in TYPES.items() if path.endswith(suffix)), "application/octet-stream")
    return _response(request, export, content, f"{export.trial.code}-{path.replace('/', '-')}", kind, path)


def archive_response(request: HttpRequest, export: Export) -> HttpResponseBase:
    """All files as one archive, noted as `file_response` does, and raises what it does."""
    files = list(export.files.order_by("path")) if export.state == Export.State.DONE else []
    if not files or not store.holds(export, files[0].path):
        raise ExportFile.DoesNotExist
    name = f"{export.trial.code}-{export.format}-{export.finished_at:%Y%m%dT%H%MZ}.zip"
    return _response(request, export, archive.archive(export, files), name, "application/zip", "the whole")


def _response(
    request: HttpRequest, export: Export, content: archive.Archive, name: str, kind: str, what: str
) -> HttpResponseBase:
    etag = f'"{content.etag}"'
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Cache-Control": "private, no-store",
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
    }
    try:
        start, end = requested_range(
            request.headers.get("Range", ""), request.headers.get("If-Range", ""), etag, content.size
        )
    except Unsatisfiable:
        return HttpResponse(status=416, headers={**headers, "Content-Range": f"bytes */{content.size}"})
    partial = (start, end) != (0, content.size)
    headers["Content-Length"] = str(end - start)
    if partial:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{content.size}"
    status = 206 if partial else 200
    if request.method == "HEAD":
        return HttpResponse(status=status, content_type=kind, headers=headers)
    service.downloaded(export, what, f"{start}-{end - 1}/{content.size}" if partial else "")
    return StreamingHttpResponse(content.read(start, end), status=status, content_type=kind, headers=headers)


def requested_range(given: str, if_range: str, etag: str, size: int) -> tuple[int, int]:
    """The byte range [start, end) that a request asks for; all of it without a Range, or where the file has changed.

    Several ranges at once are answered by the whole, as the standard allows. Raises Unsatisfiable.
    """
    match = RANGE.match(given)
    if not match or match.groups() == ("", "") or (if_range and if_range != etag):
        return 0, size
    first, last = match.groups()
    if not first:  # the last so many bytes
        length = _position(last)
        if not length:
            raise Unsatisfiable
        return max(size - length, 0), size
    start, end = _position(first), min(_position(last) + 1, size) if last else size
    if last and _position(last) < start:
        return 0, size
    if start >= size:
        raise Unsatisfiable
    return start, end


def _position(digits: str) -> int:
    return int(digits.lstrip("0")[:DIGITS] or "0")
