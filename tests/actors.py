"""Several people or workers at once, each with a connection to the database of its own.

For tests with `django_db(transaction=True)`: what one does must be seen by the others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection as database

T = TypeVar("T")


def at_once(count: int, work: Callable[[], T]) -> list[T]:
    """What `count` actors get that start together."""
    return all_at_once(*[work] * count)


def all_at_once(*works: Callable[[], T]) -> list[T]:
    """What actors get that do different things and start together, in the order given."""
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], T]) -> T:
        gate.wait(10)
        try:
            return work()
        finally:
            database.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result(30) for future in [pool.submit(run, work) for work in works]]


def another_user(work: Callable[[], T]) -> T:
    """What another actor does now, whole, while this one waits. Fails if it has to wait for a lock of this one."""

    def run() -> T:
        try:
            with database.cursor() as cursor:
                cursor.execute("SET lock_timeout = '5s'")
            return work()
        finally:
            database.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result(30)


def refused(*errors: type[Exception]) -> Callable[[Callable[[], object]], Callable[[], str]]:
    """Wrap work so that it says "done", or the words in which it was refused."""

    def wrap(work: Callable[[], object]) -> Callable[[], str]:
        def run() -> str:
            try:
                work()
            except errors as error:
                return str(error)
            return "done"

        return run

    return wrap
