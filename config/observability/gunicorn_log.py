"""Logger for gunicorn in our format. Of a request: method, path, status, size, duration, and its id.

Neither addresses of people's machines nor what was asked behind a question mark, nor where they came from.
"""

from __future__ import annotations

from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]  # it brings no types

from config.observability.logs import Formatter
from config.observability.redaction import cleaned


class RequestLog(Logger):  # type: ignore[misc]  # its package has no types
    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            for handler in log.handlers:
                handler.setFormatter(Formatter())

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> None:
        if not self.access_log_enabled:
            return
        headers = {name.lower(): value for name, value in resp.headers}
        fields = {
            "method": environ["REQUEST_METHOD"],
            "path": cleaned(environ.get("PATH_INFO", "")),
            "status": int(str(resp.status).split(None, 1)[0]),
            "bytes": getattr(resp, "sent", 0) or 0,
            "milliseconds": round(1000 * request_time.total_seconds(), 1),
            "request_id": headers.get("x-request-id", ""),
        }
        template = "%(method)s %(path)s %(status)s %(bytes)s bytes %(milliseconds)s ms"
        self.access_log.info(template, fields, extra=fields)
