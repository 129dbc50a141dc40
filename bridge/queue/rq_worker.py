"""The worker: a long-lived process that runs jobs from Redis, but trusts them very little.

Whoever can write to Redis can name any function in a job. So a job runs only if its function is in
the literal list JOBS, the callbacks and webhooks of a job are dropped unread, and a worker takes no
commands over pub/sub.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, Final

from redis.exceptions import RedisError
from rq import Queue
from rq.executions import Execution
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import SimpleWorker

from bridge.core.model.outcome_meanings import MEANINGS
from bridge.queue.doorbell import DRAIN, JOBS, QUEUES, fault_of, wake_key
from bridge.queue.process_memory import Giver
from bridge.queue.redis_address import Address, connect

BEAT_SECONDS: Final = 10
"""An idle worker looks at least so often whether there is a job."""
_RESTART_SECONDS: Final = 1.0
"""The pause before a worker that lost Redis connects again."""

log = logging.getLogger(__name__)

stopping: Final = threading.Event()
"""Set when the process was told to stop: a drain then starts nothing new."""


class RefusedJob(Exception):
    """The job names a function that workers do not run."""


class BridgeJob(Job):
    """A job that runs only if it is one of JOBS with plain arguments."""

    def restore(self, raw_data: Any) -> Any:
        """Read the job, but drop everything else that it would import or call."""
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
    """A worker that does not fork for each job: that costs four times as much as the job."""

    job_class = BridgeJob
    log_result_lifespan = False
    giver: Final = Giver()
    beat: Callable[[], object] = staticmethod(lambda: None)
    """Called whenever the worker looks whether there is a job: it says that it is at work."""

    @property
    def dequeue_timeout(self) -> int:
        """Return for how long at most it waits for a job before it looks again."""
        return BEAT_SECONDS

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Tell Redis, and whoever looks for hung workers, that this one goes on."""
        self.beat()
        super().heartbeat(timeout, pipeline)

    def perform_job(self, job: Job, queue: Queue, execution: Execution) -> bool:
        """Answer the ring of the queue, then work: a ring from here on brings a new drain."""
        try:
            name = job.func_name
        except Exception:  # noqa: BLE001 - the job cannot even be read; performing it fails, and is recorded, below
            name = None
        if name == DRAIN:
            self.connection.delete(wake_key(queue.name))
        elif name not in JOBS:
            log.error(
                "refused a job on %s that names %.100r; find out who else writes to this Redis",
                queue.name,
                name,
            )
        performed = bool(super().perform_job(job, queue, execution))
        self.giver.give_back()
        return performed

    def subscribe(self) -> None:
        """Take no commands over pub/sub: signals are enough and do not come through Redis."""

    def unsubscribe(self) -> None:
        """Do nothing: nothing was subscribed to."""

    def clean_group_registries(self) -> None:
        """Do nothing: the bridge makes no groups of jobs."""

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Stop after the running drain, which begins nothing new."""
        stopping.set()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]


def run_worker(
    address: Address,
    queues: Sequence[str] = QUEUES,
    *,
    burst: bool = False,
    beat: Callable[[], object] = lambda: None,
) -> None:
    """Work until SIGTERM or SIGINT, through outages of Redis; `burst`: until no job is left.

    `beat` is called every few seconds by the loop itself, as long as it goes round.
    """
    logging.getLogger("rq").setLevel(logging.WARNING)
    stopping.clear()
    connected = True
    while not stopping.is_set():
        try:
            beat()
            _work(address, queues, burst=burst, beat=beat)
        except (RedisError, OSError) as error:
            if connected:
                code = fault_of(error)
                log.warning("%s; the worker waits for it [%s]", MEANINGS[code].title, code)
            connected = False
        else:
            connected = True
        if burst:
            return
        _pause()


def _work(
    address: Address, queues: Sequence[str], *, burst: bool, beat: Callable[[], object]
) -> None:
    connection = connect(address, timeout=None)
    try:
        worker = BridgeWorker(
            list(queues),
            connection=connection,
            serializer=JSONSerializer,
            log_job_description=False,
        )
        worker.beat = beat
        worker.work(burst=burst, logging_level=None)
    finally:
        connection.close()


def _pause() -> None:
    """Wait before connecting again, unless told to stop."""
    if stopping.is_set():
        return
    # RQ has restored the default handlers by now.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    until = time.monotonic() + _RESTART_SECONDS
    while time.monotonic() < until and not stopping.is_set():
        time.sleep(0.05)
