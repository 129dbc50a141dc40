"""What is measured of vendors that answer wrongly, and what counts as harm."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from bridge.verify import report

LEEWAY_SECONDS = 3.0
"""A machine that has other tests to run may take so much longer than twice as long."""


@dataclass(frozen=True)
class Met:
    """What came of one way."""

    way: str
    system: str
    calls: int
    """How many calls were answered so."""
    neighbours: float
    """The slowest arrival among the healthy neighbours meanwhile, in seconds."""
    resumed: float
    """Seconds until an edit arrived that was made when the vendor was well again."""


@dataclass
class Outcome:
    """What came of everything."""

    baseline: float
    """The median arrival among the neighbours while all is well, in seconds."""
    baseline_worst: float
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
        return max(2 * self.baseline, self.baseline + LEEWAY_SECONDS)

    def harmful(self) -> list[Met]:
        """Return the ways that delayed a neighbour, or whose vendor was not heard again."""
        return [
            met
            for met in self.met
            if met.neighbours > self.bound or math.isinf(met.resumed) or not met.calls
        ]
