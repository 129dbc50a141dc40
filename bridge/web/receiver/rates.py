"""How many webhooks are taken: each connection has its rate, and so has what is badly signed.

Counted by the server processes of one receiver together, on its machine: the receiver needs no
Redis, and must not wait for one. Whoever sends too much is told when to come again; vendors do, and
what they give up is found by the next poll.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bridge.clock import Clock
from bridge.core.model.syncs import Rate
from bridge.web.receiver.shared_numbers import SharedNumbers

REFUSED: Final = (Rate(30, 10.0),)
"""Refused deliveries of one connection that are answered with their reason; more get a 429."""


PRECISION_SECONDS: Final = 0.001
"""A shorter wait is none: whoever came when told to is not told to come again."""


class RateMeter:
    """Counts by connection; names that nobody configured share one count, so it cannot grow.

    Of each rate there is so much left, and it fills again as time goes on. `what` tells meters
    apart that share their numbers.
    """

    def __init__(self, clock: Clock, numbers: SharedNumbers | None = None, what: str = "") -> None:
        self._clock = clock
        self._numbers = numbers or SharedNumbers()
        self._what = what

    def wait(self, name: str, rates: Sequence[Rate]) -> float:
        """Count one, if there is room for it in every rate; else return the seconds until then."""
        numbers = self._numbers
        left: dict[str, float] = {}
        pause = 0.0
        with numbers.locked():
            # Read in here, so that nobody with an older time comes after: the time between would
            # fill the rate once more.
            at = self._clock.now().timestamp()
            for rate in rates:
                place = f"rate:{self._what}:{name}:{rate.calls}/{rate.seconds}"
                known, full = numbers.get(f"{place}:at"), float(rate.calls)
                passed = max(0.0, at - known)
                each = rate.seconds / rate.calls
                left[place] = min(full, numbers.get(place) + passed / each) if known else full
                numbers.put(place, left[place])
                numbers.put(f"{place}:at", at)
                pause = max(pause, (1.0 - left[place]) * each)
            if pause < PRECISION_SECONDS:
                for place, number in left.items():
                    numbers.put(place, number - 1)
        return pause if pause >= PRECISION_SECONDS else 0.0
