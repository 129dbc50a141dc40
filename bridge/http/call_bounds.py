"""What one call may take: how long it may last, and how many bytes may come before it is cut off.

A call is made by one thread, so that whatever waits on a socket in its name, however deep in a
library, finds the bounds of its own call here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""Decompressed; a page of a listing is a fiftieth of it."""
MAX_ANSWER_SIGNS = 1_000_000
"""Commas, colons and opening brackets: what an answer takes in memory goes by its values, however
few bytes they are. A page of a listing has a hundredth of it."""
LARGE_ANSWER_BYTES = 1024 * 1024
"""Answers beyond this are parsed one at a time: that takes many times their size for a moment."""
MAX_HEAD_BYTES = 64 * 1024
"""Of all that comes before the body: status line, headers, any number of 1xx answers."""


class TooMuch(OSError):
    """An answer went past its limit of bytes."""


class Waiting(Protocol):
    """A socket, as far as it can be told how long to wait."""

    def settimeout(self, value: float | None, /) -> None:
        """Let the next operation wait so many seconds at most."""


class CallBounds:
    """The bounds of one call.

    The time is real time, in which a socket waits even where the bridge's clock is simulated.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds
        self._bytes_left = MAX_HEAD_BYTES
        self._what = "head"

    def left(self) -> float:
        """Return the seconds that are left. Raises TimeoutError when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"no full answer within {self.seconds:g} s")
        return left

    def arm(self, socket: Waiting) -> None:
        """Let a socket's next operation end when the call does."""
        socket.settimeout(self.left())

    def begin_body(self) -> None:
        """Say that the head has come: what comes now is the body, as it is on the wire."""
        self._bytes_left, self._what = MAX_ANSWER_BYTES + MAX_HEAD_BYTES, "body"

    def count(self, received: int) -> int:
        """Count bytes that came, and return them.

        Raises TooMuch when they are more than the call may take.
        """
        self._bytes_left -= received
        if self._bytes_left < 0:
            raise TooMuch(f"the answer's {self._what} is larger than it may be")
        return received


class _Running(threading.local):
    bounds: CallBounds | None = None


_running = _Running()


def running() -> CallBounds:
    """Return the bounds of the call that this thread is making."""
    if _running.bounds is None:
        raise RuntimeError("a socket was used without a call whose bounds it could keep")
    return _running.bounds


@contextmanager
def kept(bounds: CallBounds) -> Iterator[None]:
    """Keep these bounds in all that this thread does meanwhile."""
    before, _running.bounds = _running.bounds, bounds
    try:
        yield
    finally:
        _running.bounds = before
