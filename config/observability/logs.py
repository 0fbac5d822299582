"""Log formatters: LOG_FORMAT=line for people, json for programs that collect them. One record a line, UTC.

Both carry the ids of the request and the task, and both are cleaned of credentials and of who people are, what an
exception says included. Needs no Django: gunicorn's own lines look the same.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson

from config.observability import context
from config.observability.redaction import cleaned, exception_text

# The fields of a record that a logger may add by `extra`: those of gunicorn's access log.
EXTRA = ("method", "path", "status", "bytes", "milliseconds", "request_id")
_trace: list[Callable[[], str]] = []


def trace_ids(current: Callable[[], str]) -> None:
    """Write the id of the trace too, which this tells."""
    _trace[:] = [current]


class Formatter(logging.Formatter):
    """`style` of this class: "line", "json", or "" for what LOG_FORMAT says when the record is written."""

    def __init__(self, shape: str = "") -> None:
        super().__init__()
        self._shape = shape

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": message(record),
            **_of_request(record),
            **context.current(),
            **{name: record.__dict__[name] for name in EXTRA if name in record.__dict__},
        }
        if _trace and (trace := _trace[0]()):
            fields["trace_id"] = trace
        if record.exc_info and record.exc_info[1] is not None:
            fields["exception"] = "\n".join(exception(record.exc_info[1]))
        elif record.exc_text:
            fields["exception"] = cleaned(record.exc_text)
        if (self._shape or os.environ.get("LOG_FORMAT", "line")) == "json":
            return orjson.dumps(fields, default=str).decode()
        return line(fields)


def _of_request(record: logging.LogRecord) -> dict[str, str]:
    """The id of a request that Django names in its record: it logs what was refused when all middleware has ended."""
    request_id = getattr(record.__dict__.get("request"), "request_id", "")
    return {"request_id": request_id} if request_id else {}


def line(fields: Mapping[str, Any]) -> str:
    """Log line for people: the ids in brackets, the exception beneath."""
    where = " ".join(f"{name}={fields[name]}" for name in ("request_id", "task_id", "trace_id") if name in fields)
    text = f"{fields['time']} {fields['level']} {fields['logger']} {f'[{where}] ' if where else ''}"
    text += fields["message"].replace("\n", "\n    ")  # what somebody else wrote is no record of its own
    return f"{text}\n{fields['exception']}" if "exception" in fields else text


def message(record: logging.LogRecord) -> str:
    """The record's text. Exceptions among its arguments are told as everywhere; a task's arguments are not."""
    args: Any = record.args
    if isinstance(args, Mapping):
        hidden = {name: "…" for name in ("args", "kwargs", "return_value") if name in args}
        if record.exc_info and record.exc_info[1] is not None and "exc" in args:
            hidden |= {"exc": exception_text(record.exc_info[1]), "traceback": ""}
        args = {**{name: _told(value) for name, value in args.items()}, **hidden}
    elif isinstance(args, tuple):
        args = tuple(_told(value) for value in args)
    text = str(record.msg) if not isinstance(record.msg, BaseException) else exception_text(record.msg)
    return cleaned(text % args if args else text)


def _told(value: Any) -> Any:
    return exception_text(value) if isinstance(value, BaseException) else value


def exception(error: BaseException) -> Iterator[str]:
    """The traceback of an exception and of those that led to it, the first one first, each by `exception_text`."""
    chain, seen = [], set[int]()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        chain.append(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    for number, raised in enumerate(reversed(chain)):
        if number:
            yield "Which led to:"
        yield from (entry.rstrip() for entry in traceback.format_tb(raised.__traceback__))
        yield exception_text(raised)


def of_celery(**_: Any) -> None:
    """Celery's programs log as Django's do, and not in a form of their own."""
    import logging.config

    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)
