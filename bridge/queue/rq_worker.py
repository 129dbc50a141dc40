"""The worker: one long-lived process that answers the bell, and trusts Redis with nothing more than that.

Whoever can write to Redis can name any function in a job. So a job runs only if its function is in
the literal list JOBS, callbacks and webhooks that a job brings along are dropped unread, and nobody
commands a worker over pub/sub.
"""

from __future__ import annotations

import gc
import logging
import signal
import threading
import time
from collections.abc import Sequence
from types import FrameType
from typing import Any, Final

from redis.exceptions import RedisError
from rq import Queue
from rq.executions import Execution
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import SimpleWorker

from bridge.queue.doorbell import DRAIN, JOBS, LANES, Address, connect, wake_key

_RESTART: Final = 1.0
"""Seconds before a worker that lost Redis begins again."""

log = logging.getLogger(__name__)

stopping: Final = threading.Event()
"""Set once the process was told to stop: a drain starts nothing new when it sees this."""


class RefusedJob(Exception):
    """The job names something that a worker does not do."""


class BridgeJob(Job):
    """A job as far as it is trusted: one of JOBS, with plain arguments."""

    def restore(self, raw_data: Any) -> Any:
        """Read the job, without what else it would have us import or call."""
        restored = super().restore(raw_data)
        self._success_callback_name = self._failure_callback_name = self._stopped_callback_name = (
            None
        )
        self.webhooks = []
        return restored

    def perform(self) -> Any:
        """Run the job if it is one of ours."""
        if self.func_name not in JOBS or self.instance is not None:
            raise RefusedJob(f"{self.func_name!r:.100} is not one of this worker's jobs")
        if self.kwargs or not all(isinstance(argument, str | int) for argument in self.args):
            raise RefusedJob(f"{self.func_name} takes plain text and numbers only")
        return super().perform()


class BridgeWorker(SimpleWorker):
    """A worker that stays alive between jobs: forking for each costs four times as much as the job."""

    job_class = BridgeJob
    log_result_lifespan = False

    def perform_job(self, job: Job, queue: Queue, execution: Execution) -> bool:
        """Answer the bell of the queue, then work: from here on a new ring brings a new drain."""
        try:
            name = job.func_name
        except Exception:  # noqa: BLE001 - the job cannot even be read; performing it fails, and is recorded, below
            name = None
        if name == DRAIN:
            self.connection.delete(wake_key(queue.name))
        elif name not in JOBS:
            log.error(
                "refused a job on %s that names %.100r: who else writes to this Redis?",
                queue.name,
                name,
            )
        return bool(super().perform_job(job, queue, execution))

    def subscribe(self) -> None:
        """Take no commands over pub/sub: signals are enough, and do not come through Redis."""

    def unsubscribe(self) -> None:
        """Nothing was subscribed to."""

    def clean_group_registries(self) -> None:
        """Leave groups alone: we make none, and whoever does is not us."""

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Stop after the running drain, which is told to begin nothing new."""
        stopping.set()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]


def keep_loaded() -> None:
    """Leave what is loaded by now out of all garbage collections: it stays, and a long listing makes many of them."""
    gc.collect()
    gc.freeze()


def run_worker(address: Address, lanes: Sequence[str] = LANES, *, burst: bool = False) -> None:
    """Work until SIGTERM or SIGINT (or, with `burst`, until the lanes are empty), through any outage of Redis."""
    logging.getLogger("rq").setLevel(logging.WARNING)
    stopping.clear()
    quiet = True
    while not stopping.is_set():
        try:
            _work(address, lanes, burst=burst)
        except (RedisError, OSError) as error:
            if quiet:
                log.warning("the worker lost Redis (%s) and waits for it", type(error).__name__)
            quiet = False
        else:
            quiet = True
        if burst:
            return
        _pause()


def _work(address: Address, lanes: Sequence[str], *, burst: bool) -> None:
    connection = connect(address, timeout=None)
    try:
        worker = BridgeWorker(
            list(lanes), connection=connection, serializer=JSONSerializer, log_job_description=False
        )
        worker.work(burst=burst, logging_level=None)
    finally:
        connection.close()


def _pause() -> None:
    """Wait before starting over, unless told to stop. RQ has given the signals back by now, so they are taken here."""
    if stopping.is_set():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    until = time.monotonic() + _RESTART
    while time.monotonic() < until and not stopping.is_set():
        time.sleep(0.05)
