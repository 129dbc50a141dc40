"""Everything that uses RQ and Redis: the doorbell, the worker and the shared budget of calls.

Redis may be emptied at any moment: outstanding work is stored in the ledger and announced again.
"""

from __future__ import annotations

from bridge.queue.doorbell import JOBS, QUEUES, Bell, Doorbell, NullDoorbell
from bridge.queue.embedded_valkey import Embedded, socket_for, url_for
from bridge.queue.process_memory import bound_heaps, keep_loaded
from bridge.queue.redis_address import Address
from bridge.queue.redis_budget import MemoryBudget, RedisBudget
from bridge.queue.rq_worker import run_worker, stopping

__all__ = [
    "JOBS",
    "QUEUES",
    "Address",
    "Bell",
    "Doorbell",
    "Embedded",
    "MemoryBudget",
    "NullDoorbell",
    "RedisBudget",
    "bound_heaps",
    "keep_loaded",
    "run_worker",
    "socket_for",
    "stopping",
    "url_for",
]
