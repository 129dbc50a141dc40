"""The doorbell, which wakes workers through RQ. A job says only "look into the ledger".

So a lost job costs a moment, and a second one costs nothing. Rings within a second are merged by a
key in Redis. RQ's unique jobs cannot do this: they refuse a job while one of that name is running
or has failed, and then nobody would be woken.
"""

from __future__ import annotations

import contextlib
import logging
import time
from typing import Final

from redis.exceptions import (
    AuthenticationError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from rq import Queue
from rq.serializers import JSONSerializer

from bridge.core.model.outcome_codes import Code
from bridge.core.model.outcome_meanings import MEANINGS
from bridge.queue.redis_address import Address, connect
from bridge.queue.redis_line import RedisLine

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

PROBE_KEY: Final = "bridge:probe"
"""Written to see whether Redis takes writes."""
KEY_TYPES: Final = {"wake:{queue}": b"string", "rq:queue:{queue}": b"list", "rq:queues": b"set"}
"""The keys of a ring, and of what type each is."""
NO_KEY: Final = b"none"
NEVER_ENDS: Final = -1
"""What Redis says of the time that is left to a key that never ends."""

log = logging.getLogger(__name__)


class Doorbell:
    """Rings through RQ. It never raises: what it announces is already committed to the ledger."""

    def __init__(self, address: Address) -> None:
        self._redis = connect(address)
        self._line = RedisLine(address)
        self._queues: dict[str, Queue] = {}
        self._quiet_until = 0.0
        self._down = False

    def ring(self, queue: str = "live") -> bool:
        """Ask for a drain of the queue, at most once a second unless it was answered in between."""
        if time.monotonic() < self._quiet_until:
            return False
        try:
            if self._is_first(queue):
                self._put(queue, DRAIN)
        except (RedisError, OSError) as error:
            if fault_of(error) is Code.REDIS_KEYS:
                self._clear_foreign_keys(queue)
            return self._failed(error)
        return self._worked()

    def _is_first(self, queue: str) -> bool:
        """Return whether no ring of the queue is unanswered, and mark this one as that.

        A key without an end is none of ours: it would silence the bell for ever.
        """
        key = wake_key(queue)
        if self._line.ask("SET", key, 1, "NX", "PX", COALESCE_MS):
            return True
        if self._line.ask("PTTL", key) != NEVER_ENDS:
            return False
        return bool(self._line.ask("SET", key, 1, "PX", COALESCE_MS))

    def _clear_foreign_keys(self, queue: str) -> None:
        """Delete what stands under the doorbell's names and is none of its doing.

        The next ring works again. Nothing is lost: a job says only "look into the ledger".
        """
        with contextlib.suppress(RedisError, OSError):
            for name in self._foreign(queue):
                log.warning("%s in Redis was not made by the bridge, and is deleted", name)
                self._redis.delete(name)

    def _foreign(self, queue: str) -> list[str]:
        """Return the names of a ring's keys under which something of another type stands."""
        named = {key.format(queue=queue): kind for key, kind in KEY_TYPES.items()}
        return [
            name for name, kind in named.items() if self._redis.type(name) not in {kind, NO_KEY}
        ]

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

    def fault(self) -> Code | None:
        """Return what keeps Redis from being rung, found out by a write; None: nothing does."""
        try:
            self._redis.set(PROBE_KEY, 1, px=COALESCE_MS)
            foreign = any(self._foreign(queue) for queue in QUEUES)
        except (RedisError, OSError) as error:
            return fault_of(error)
        return Code.REDIS_KEYS if foreign else None

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()
        self._line.close()

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
            code = fault_of(error)
            log.warning("%s; work waits in the ledger meanwhile [%s]", MEANINGS[code].title, code)
        self._down = True
        return False

    def _worked(self) -> bool:
        if self._down:
            log.info("Redis answers again")
        self._down = False
        return True


def fault_of(error: Exception) -> Code:
    """Return the outcome code of an error that Redis, or the way to it, gave."""
    if isinstance(error, AuthenticationError):
        return Code.REDIS_REFUSES
    if not isinstance(error, ResponseError):
        return Code.REDIS_DOWN
    if isinstance(error, ReadOnlyError):
        return Code.REDIS_READ_ONLY
    if isinstance(error, OutOfMemoryError):
        return Code.REDIS_FULL
    words = str(error).rpartition("caused error: ")[2]  # it may be one command of several
    for beginning, code in _FAULTS.items():
        if words.startswith(beginning):
            return code
    return Code.REDIS_REFUSES


_FAULTS: Final = {
    "READONLY": Code.REDIS_READ_ONLY,
    "MISCONF": Code.REDIS_READ_ONLY,
    "NOREPLICAS": Code.REDIS_READ_ONLY,
    "OOM": Code.REDIS_FULL,
    "WRONGTYPE": Code.REDIS_KEYS,
}
"""How the words of an answer begin -> outcome code."""


def wake_key(queue: str) -> str:
    """Return the Redis key that exists while a ring of the queue is unanswered."""
    return f"wake:{queue}"
