"""Turns at SQLite's one writer, in the order of asking.

SQLite makes a second writer poll, so a busy worker that writes again and again starves the receiver
for seconds. Two file locks beside the database make a queue of it: who waits for its turn holds the
first, so whoever has just written has to stand behind. The kernel drops a dead process's locks.
This is only courtesy: SQLite's own lock still protects.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path


def write_lock(database: Path) -> Callable[[], AbstractContextManager[None]]:
    """Give a context manager that lasts for one turn at writing to the database file."""
    door, room = (database.with_name(database.name + end) for end in ("-turn", "-writing"))

    @contextmanager
    def turn() -> Iterator[None]:
        try:
            inside = _lock_behind(door, room)
        except FileNotFoundError:
            yield  # there is no such folder: opening the database will say what is wrong
            return
        try:
            yield
        finally:
            os.close(inside)

    return turn


def _lock_behind(door: Path, room: Path) -> int:
    outside = _locked(door)
    try:
        return _locked(room)
    finally:
        os.close(outside)


def _locked(path: Path) -> int:
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
