"""The time: a `Clock` is passed in everywhere, so that tests and simulations can have their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits."""

    def now(self) -> datetime:
        """Return the present time, aware, in UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something once, when so much time has passed, unless the process ends before."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the present time, aware, in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something once, in a thread of its own, unless the process ends before."""
        timer = threading.Timer(seconds, act)
        timer.daemon = True
        timer.start()


class TimeLimit:
    """A time that runs out; a clock that is set back meanwhile prolongs nothing.

    Ask it often: what was set back is noticed as it is asked.
    """

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._asked_at = clock.now()
        self._end = self._asked_at + timedelta(seconds=seconds)

    def is_over(self) -> bool:
        """Return whether it has run out."""
        return self.left() <= 0

    def left(self) -> float:
        """Return how many seconds are left; none or less: it has run out."""
        now = self._clock.now()
        if now < self._asked_at:
            self._end -= self._asked_at - now
        self._asked_at = now
        return (self._end - now).total_seconds()
