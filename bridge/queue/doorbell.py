"""The doorbell, which wakes workers through RQ. A job says only "look into the ledger".

So a lost job costs a moment, and a second one costs nothing. Rings within a second are merged by a
key in Redis. RQ's unique jobs cannot do this: they refuse a job while one of that name is running
or has failed, and then nobody would be woken.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import quote

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer

from bridge.errors import ConfigError

Address = str | Path
"""Where Redis is: a URL, or the path of a Unix socket."""

JOBS: Final = ("jobs.drain.run", "jobs.reconcile.run", "jobs.reannounce.run", "jobs.prune.run")
"""Every function that a worker may call. Old names stay until no worker uses them any more."""
DRAIN: Final = "jobs.drain.run"
QUEUES: Final = ("live", "bulk")
"""The queues in Redis, in the order in which a worker looks at them.

The bridge itself rings `live` alone: a drain looks into the ledger, whose lanes order the work
(core/model/lanes.py). `bulk` is where `Doorbell.enqueue` puts the other jobs, for callers from
outside.
"""

COALESCE_MS: Final = 1000
"""Rings of a queue within this time are one."""
JOB_TIMEOUT_SECONDS: Final = 900
"""For a worker that hangs: a drain takes a few seconds, and each of its calls has a timeout."""
FAILURE_TTL_SECONDS: Final = 60
_RETRY_AFTER_SECONDS: Final = 1.0
"""Redis is not asked again for this long after a failure, or an outage would slow every webhook."""

log = logging.getLogger(__name__)


class Bell(Protocol):
    """A doorbell, as the rest of the bridge uses it."""

    def ring(self) -> bool:
        """Ask for a drain; False if Redis was not reached (the clock rings again)."""

    def answered(self) -> None:
        """Mark the ring as answered: work that comes from now on needs a new ring."""

    def ping(self) -> bool:
        """Return whether Redis answers."""


class NullDoorbell:
    """A doorbell for processes that wake nobody; the clock announces their work."""

    def ring(self) -> bool:
        """Do nothing."""
        return False

    def answered(self) -> None:
        """Do nothing."""

    def ping(self) -> bool:
        """Return False: there is no Redis."""
        return False


class Doorbell:
    """Rings through RQ. It never raises: what it announces is already committed to the ledger."""

    def __init__(self, address: Address) -> None:
        self._redis = connect(address)
        self._queues: dict[str, Queue] = {}
        self._quiet_until = 0.0
        self._down = False

    def ring(self, queue: str = "live") -> bool:
        """Ask for a drain of the queue, at most once a second unless it was answered in between."""
        if time.monotonic() < self._quiet_until:
            return False
        try:
            if self._redis.set(wake_key(queue), 1, nx=True, px=COALESCE_MS):
                self._put(queue, DRAIN)
        except (RedisError, OSError) as error:
            return self._failed(error)
        return self._worked()

    def answered(self, queue: str = "live") -> None:
        """Forget the ring of the queue; called before the first query of a drain."""
        try:
            self._redis.delete(wake_key(queue))
        except (RedisError, OSError) as error:
            self._failed(error)

    def enqueue(self, job: str, *args: str, queue: str = "bulk") -> bool:
        """Enqueue one of the other jobs by name; False if Redis did not take it.

        No process of the bridge does: the clock and the commands act without Redis.
        """
        if job not in JOBS:
            raise ValueError(f"{job} is not a job; allowed {', '.join(JOBS)}")
        try:
            self._put(queue, job, *args)
        except (RedisError, OSError) as error:
            return self._failed(error)
        return self._worked()

    def ping(self) -> bool:
        """Return whether Redis answers."""
        try:
            return bool(self._redis.ping())
        except (RedisError, OSError):
            return False

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def _put(self, name: str, job: str, *args: str) -> None:
        queue = self._queues.get(name)
        if queue is None:
            queue = self._queues[name] = Queue(
                name, connection=self._redis, serializer=JSONSerializer
            )
        queue.enqueue_call(
            job,
            args=args,
            timeout=JOB_TIMEOUT_SECONDS,
            result_ttl=0,
            failure_ttl=FAILURE_TTL_SECONDS,
            description=job,
        )

    def _failed(self, error: Exception) -> bool:
        self._quiet_until = time.monotonic() + _RETRY_AFTER_SECONDS
        if not self._down:  # logged once for an outage, not for each webhook
            log.warning(
                "Redis does not answer (%s); work waits in the ledger until it does",
                type(error).__name__,
            )
        self._down = True
        return False

    def _worked(self) -> bool:
        if self._down:
            log.info("Redis answers again")
        self._down = False
        return True


def url_of(address: Address) -> str:
    """Return the address as a URL."""
    return f"unix://{quote(str(address))}" if isinstance(address, Path) else address


def wake_key(queue: str) -> str:
    """Return the Redis key that exists while a ring of the queue is unanswered."""
    return f"wake:{queue}"


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
