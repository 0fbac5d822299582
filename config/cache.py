"""Shared cache of all processes: counters of limits, vendors' public keys. In Redis; empty where that is away.

Nothing depends on it but who is slowed down: without Redis every question finds nothing, and a line in the log says
so. Values are msgpack and no pickles: who can write to Redis must not be able to run code here.
"""

from __future__ import annotations

import logging
import time
from typing import Any

import msgspec
import redis
from django.core.cache.backends.redis import RedisCache, RedisCacheClient

log = logging.getLogger(__name__)

PATIENCE = 0.5  # seconds for a connection and for a response
# So long Redis is not asked again after it failed: pages must not wait for it one by one.
PAUSE = 5.0
OPTIONS = {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE}


class Serializer:
    """Numbers stay as they are, so that Redis can count them. Raises TypeError for what is no plain value."""

    def dumps(self, value: Any) -> int | bytes:
        return value if type(value) is int else msgspec.msgpack.encode(value)

    def loads(self, data: bytes) -> Any:
        try:
            return int(data)
        except ValueError:
            return msgspec.msgpack.decode(data)


class Forgiving(RedisCacheClient):
    """Django's client, for which Redis may be away: it then holds nothing and takes everything."""

    def __init__(self, servers: Any, **options: Any) -> None:
        serializer: Any = Serializer()  # the stubs' own says less than Django does: numbers go as they are
        super().__init__(servers, serializer=serializer, **{**OPTIONS, **options})
        self._away_until = 0.0

    def _call(self, what: str, empty: Any, *args: Any, **kwargs: Any) -> Any:
        if time.monotonic() < self._away_until:
            return empty
        try:
            return getattr(super(), what)(*args, **kwargs)
        except redis.RedisError as error:
            self._away_until = time.monotonic() + PAUSE
            log.warning("the shared cache is away, limits are not counted: %s", type(error).__name__)
            return empty

    def get(self, key: Any, default: Any) -> Any:
        return self._call("get", default, key, default)

    def add(self, key: Any, value: Any, timeout: Any) -> Any:
        return self._call("add", True, key, value, timeout)

    def set(self, key: Any, value: Any, timeout: Any) -> None:
        self._call("set", None, key, value, timeout)

    def touch(self, key: Any, timeout: Any) -> Any:
        return self._call("touch", False, key, timeout)

    def delete(self, key: Any) -> Any:
        return self._call("delete", False, key)

    def has_key(self, key: Any) -> Any:
        return self._call("has_key", False, key)

    def get_many(self, keys: Any) -> Any:
        return self._call("get_many", {}, keys)

    def set_many(self, data: Any, timeout: Any) -> None:
        self._call("set_many", None, data, timeout)

    def delete_many(self, keys: Any) -> None:
        self._call("delete_many", None, keys)

    def clear(self) -> Any:
        return self._call("clear", False)

    def incr(self, key: Any, delta: Any) -> int:
        """Raises ValueError where there is no such counter, as caches do; so also where there is no cache."""
        count = self._call("incr", None, key, delta)
        if count is None:
            raise ValueError("no such counter")
        return int(count)


class SharedCache(RedisCache):
    """The backend for settings.CACHES."""

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = Forgiving
