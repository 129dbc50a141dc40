"""What is measured of vendors that answer wrongly, and what counts as harm."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from bridge.verify import report

LEEWAY_SECONDS = 3.0
"""A machine that has other tests to run may take so much longer than twice as long."""


@dataclass(frozen=True)
class Arrivals:
    """How long the healthy neighbours' edits took to arrive, in seconds."""

    edits: int
    median: float
    worst: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self:
        """Return what is said of edits that took so long; of none, that they never arrived."""
        times = seconds or [math.inf]
        return cls(len(seconds), statistics.median(times), max(times))


@dataclass(frozen=True)
class Met:
    """What came of one way."""

    way: str
    system: str
    calls: int
    """How many calls were answered so."""
    neighbours: Arrivals
    """Of the edits that were made meanwhile."""
    resumed: float
    """Seconds until an edit arrived that was made when the vendor was well again."""


@dataclass
class Outcome:
    """What came of everything."""

    baseline: Arrivals
    """While all is well and only the neighbours are at work."""
    busy: Arrivals
    """While all is well, and people edit as much at all others as they do in a round."""
    tried_again: list[str] = field(default_factory=list)
    """Ways that did harm once, and were tried once more: the machine may have stood still."""
    met: list[Met] = field(default_factory=list)
    led_astray: list[str] = field(default_factory=list)
    """Calls of ours at another host."""
    leaks: list[str] = field(default_factory=list)
    """Where a planted secret was found."""
    memory: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Bytes of each process, before and after."""
    parked_runs: list[str] = field(default_factory=list)
    failing: list[str] = field(default_factory=list)
    """Runs that still fail in the end."""
    verdicts: dict[str, report.Report] = field(default_factory=dict)
    """What the judge says of each pair."""

    @property
    def bound(self) -> float:
        """Return how long an edit of a neighbour may take: twice as long, or a little longer."""
        usual = self.baseline.median
        return max(2 * usual, usual + LEEWAY_SECONDS)

    def harmful(self) -> list[Met]:
        """Return the ways that delayed a neighbour, or whose vendor was not heard again."""
        return [
            met
            for met in self.met
            if met.neighbours.worst > self.bound or math.isinf(met.resumed) or not met.calls
        ]
