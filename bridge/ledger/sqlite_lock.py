"""A fair write lock for SQLite: processes write in the order in which they asked.

SQLite makes a second writer poll, so a worker that writes in a loop starves the receiver for
seconds. Two file locks beside the database make a queue: whoever waits for the second lock holds
the first, so a process that has just written has to wait behind it. The kernel releases the locks
of a dead process. This is only about fairness: SQLite's own lock still protects the data.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path


def write_lock(database: Path) -> Callable[[], AbstractContextManager[None]]:
    """Return a context manager that holds the lock for one write transaction."""
    queue, writing = (database.with_name(database.name + end) for end in ("-turn", "-writing"))

    @contextmanager
    def hold() -> Iterator[None]:
        try:
            lock = _lock_in_order(queue, writing)
        except FileNotFoundError:
            yield  # there is no such folder: opening the database will say what is wrong
            return
        try:
            yield
        finally:
            os.close(lock)

    return hold


def _lock_in_order(queue: Path, writing: Path) -> int:
    place = _locked(queue)
    try:
        return _locked(writing)
    finally:
        os.close(place)


def _locked(path: Path) -> int:
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
