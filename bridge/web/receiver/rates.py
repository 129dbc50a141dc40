"""How many webhooks are taken: each connection has its rate, and so has what is badly signed.

Counted in this process alone: the receiver needs no Redis, and must not wait for one. Whoever sends
too much is told when to come again; vendors do, and what they give up is found by the next poll.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from bridge.core.model.syncs import Rate

REFUSED: Final = (Rate(30, 10.0),)
"""Refused deliveries of one connection that are answered with their reason; more get a 429."""


@dataclass(slots=True)
class _Bucket:
    """What is left of one rate; it fills again as time goes on."""

    rate: Rate
    left: float
    at: datetime

    def refill(self, now: datetime) -> None:
        passed = max(0.0, (now - self.at).total_seconds())
        self.left = min(
            float(self.rate.calls), self.left + passed * self.rate.calls / self.rate.seconds
        )
        self.at = now

    def wait(self) -> float:
        """Return the seconds until there is room for one more."""
        return max(0.0, (1.0 - self.left) * self.rate.seconds / self.rate.calls)


@dataclass(slots=True)
class RateMeter:
    """Counts by connection; names that nobody configured share one count, so it cannot grow."""

    _buckets: dict[str, list[_Bucket]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, name: str, rates: Sequence[Rate], now: datetime) -> float:
        """Count one, if there is room for it in every rate; else return the seconds until then."""
        with self._lock:
            buckets = self._buckets.setdefault(
                name, [_Bucket(rate, float(rate.calls), now) for rate in rates]
            )
            for bucket in buckets:
                bucket.refill(now)
            pause = max((bucket.wait() for bucket in buckets), default=0.0)
            if pause <= 0:
                for bucket in buckets:
                    bucket.left -= 1
            return pause
