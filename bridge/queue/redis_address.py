"""Where Redis is, and how it is connected to."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bridge.errors import ConfigError

Address = str | Path
"""A URL, or the path of a Unix socket."""


def url_of(address: Address) -> str:
    """Return the address as a URL."""
    return f"unix://{quote(str(address))}" if isinstance(address, Path) else address


def connect(address: Address, *, timeout: float | None = 2.0) -> Redis:
    """Connect to Redis with short timeouts; the worker, which waits for jobs, passes None."""
    try:
        client = Redis.from_url(
            url_of(address),
            socket_connect_timeout=1.0,
            socket_timeout=timeout,
            retry=Retry(NoBackoff(), 1),
            health_check_interval=30,
        )
        pool = client.connection_pool
        pool.connection_class(**pool.connection_kwargs)  # an option that nobody knows shows here
    except (ValueError, TypeError):
        why = "redis: is no address that can be used; look at the options behind its ?"
        raise ConfigError([why]) from None  # the library's text has pieces of the address
    return client
