"""Rate limits shared by all workers, counted in Redis by the minute.

They only spare us the vendor's refusals: where Redis is away, requests go out unlimited and the vendor's own answer
(busy, with a time) is obeyed as ever.
"""

from __future__ import annotations

import logging
import time
from functools import cache

import redis
from django.conf import settings

log = logging.getLogger(__name__)


@cache
def _redis() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL.replace("redis+socket://", "unix://"), socket_timeout=2, socket_connect_timeout=2
    )


def seconds_to_wait(provider: str, connection_id: int, requests: int = 1) -> float:
    """Count some requests of a connection; 0 if they may go out now, else seconds until the next minute begins."""
    now = time.time()
    minute = int(now // 60)
    limits = (
        (f"rate:{provider}:{minute}", settings.VENDOR_REQUESTS_PER_MINUTE),
        (f"rate:{provider}:{connection_id}:{minute}", settings.VENDOR_REQUESTS_PER_MINUTE_EACH),
    )
    try:
        with _redis().pipeline(transaction=False) as pipe:
            for key, _ in limits:
                pipe.incrby(key, requests)
                pipe.expire(key, 120)
            counts = pipe.execute()[::2]
    except redis.RedisError as error:
        log.warning("request limits are not counted, Redis is away: %s", type(error).__name__)
        return 0.0
    over = any(count > limit for count, (_, limit) in zip(counts, limits, strict=True))
    return (minute + 1) * 60 - now if over else 0.0
