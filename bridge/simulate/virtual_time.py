"""Time that passes only when somebody lets it pass."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bridge.clock import Clock

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


class VirtualClock:
    """One time for everybody. What was put off happens in order, as time passes its moment."""

    def __init__(self, start: datetime = START) -> None:
        self.time = start
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = 0
        self.shortest = 0.0
        """Seconds; no sleep is shorter, so that what only waits takes fewer steps."""

    def now(self) -> datetime:
        """Return the present time."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        until = self.time + timedelta(seconds=max(seconds, self.shortest))
        while self._due and self._due[0][0] <= until:
            at, _, act = heapq.heappop(self._due)
            self.time = max(self.time, at)
            act()
        self.time = max(self.time, until)

    advance = sleep

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something when so much time has passed."""
        self._order += 1
        heapq.heappush(self._due, (self.time + timedelta(seconds=seconds), self._order, act))


class Skewed:
    """A vendor's own clock: wrong by some seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.seconds = 0.0

    def now(self) -> datetime:
        """Return the time that this clock shows."""
        return self._clock.now() + timedelta(seconds=self.seconds)

    def sleep(self, seconds: float) -> None:
        """Let time pass for everybody."""
        self._clock.sleep(seconds)

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something when so much time has passed for everybody."""
        self._clock.later(seconds, act)
