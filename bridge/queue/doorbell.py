"""Waking workers: a job says only "look into the ledger", so losing one costs a moment and a second one costs nothing.

Rings coalesce by a key that lives for a second at most. RQ's own unique jobs are no use for that:
they refuse while a job of that name is running or has failed, and then the bell would be dead for
as long.
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

Address = str | Path
"""Where Redis is: a URL, or the path of a Unix socket."""

JOBS: Final = ("jobs.drain.run", "jobs.reconcile.run", "jobs.reannounce.run", "jobs.prune.run")
"""Every function that a worker will ever call. Names are a wire format: old ones stay until no worker knows them."""
DRAIN: Final = "jobs.drain.run"
LANES: Final = ("live", "bulk")
"""The queues, in the order in which a worker looks at them: nobody waits behind a backfill."""

COALESCE_MS: Final = 1000
JOB_TIMEOUT: Final = 900
"""Seconds; a drain takes a few, and every call in it has a timeout of its own. This is for a worker that hangs."""
FAILURE_TTL: Final = 60
_HOLD_OFF: Final = 1.0
"""Seconds without another attempt after Redis did not answer, so that a dead Redis doesn't slow every webhook down."""

log = logging.getLogger(__name__)


class Bell(Protocol):
    """What the rest of the bridge needs of a doorbell."""

    def ring(self, lane: str = "live") -> bool:
        """Ask for a drain of the lane; False: nobody was reached, the next announcement will."""

    def answered(self, lane: str = "live") -> None:
        """Say that a drain is about to look: whatever happens from now on must ring again."""

    def ping(self) -> bool:
        """Tell whether Redis answers."""


class NullDoorbell:
    """For processes that wake nobody: whoever announces due work will."""

    def ring(self, lane: str = "live") -> bool:  # noqa: ARG002 - the protocol's
        """Reach nobody."""
        return False

    def answered(self, lane: str = "live") -> None:
        """Do nothing."""

    def ping(self) -> bool:
        """Nobody answers."""
        return False


class Doorbell:
    """Rings through RQ. Never raises: a Redis that is away must not fail what the ledger has already committed."""

    def __init__(self, address: Address) -> None:
        self._redis = connect(address)
        self._queues: dict[str, Queue] = {}
        self._quiet_until = 0.0
        self._down = False

    def ring(self, lane: str = "live") -> bool:
        """Ask for a drain of the lane, at most once a second unless it was answered in between."""
        if time.monotonic() < self._quiet_until:
            return False
        try:
            if self._redis.set(wake_key(lane), 1, nx=True, px=COALESCE_MS):
                self._put(lane, DRAIN)
        except (RedisError, OSError) as error:
            return self._failed(error)
        return self._worked()

    def answered(self, lane: str = "live") -> None:
        """Forget that the lane was rung for. Called before the first query of a drain."""
        try:
            self._redis.delete(wake_key(lane))
        except (RedisError, OSError) as error:
            self._failed(error)

    def enqueue(self, job: str, *args: str, lane: str = "bulk") -> bool:
        """Ask for one of the other jobs by name; False: Redis did not take it."""
        if job not in JOBS:
            raise ValueError(f"{job} is not a job; allowed {', '.join(JOBS)}")
        try:
            self._put(lane, job, *args)
        except (RedisError, OSError) as error:
            return self._failed(error)
        return self._worked()

    def ping(self) -> bool:
        """Tell whether Redis answers."""
        try:
            return bool(self._redis.ping())
        except (RedisError, OSError):
            return False

    def close(self) -> None:
        """Let go of the connections."""
        self._redis.close()

    def _put(self, lane: str, job: str, *args: str) -> None:
        queue = self._queues.get(lane)
        if queue is None:
            queue = self._queues[lane] = Queue(
                lane, connection=self._redis, serializer=JSONSerializer
            )
        queue.enqueue_call(
            job,
            args=args,
            timeout=JOB_TIMEOUT,
            result_ttl=0,
            failure_ttl=FAILURE_TTL,
            description=job,
        )

    def _failed(self, error: Exception) -> bool:
        self._quiet_until = time.monotonic() + _HOLD_OFF
        if not self._down:  # once for an outage, not once for a webhook
            log.warning(
                "Redis does not answer (%s); work waits in the ledger", type(error).__name__
            )
        self._down = True
        return False

    def _worked(self) -> bool:
        if self._down:
            log.info("Redis answers again")
        self._down = False
        return True


def url_of(address: Address) -> str:
    """Give the address as a URL."""
    return f"unix://{quote(str(address))}" if isinstance(address, Path) else address


def wake_key(lane: str) -> str:
    """Give the key that says that a lane has been rung for."""
    return f"wake:{lane}"


def connect(address: Address, *, timeout: float | None = 2.0) -> Redis:
    """Open Redis with short patience; `timeout` None is for the worker, which waits for work on the connection."""
    return Redis.from_url(
        url_of(address),
        socket_connect_timeout=1.0,
        socket_timeout=timeout,
        retry=Retry(NoBackoff(), 1),
        health_check_interval=30,
    )
