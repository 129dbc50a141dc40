"""Refusals for a while (429 with Retry-After), and the callers that do not keep to them."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import Final

RETRY_AFTER_SECONDS: Final = 2
"""For so long a caller is sent away."""
GRACE_SECONDS: Final = 1.0
"""For calls that were under way already, from any process that shares the account.

What arrives later was sent by somebody who could have known. It is shorter than
RETRY_AFTER_SECONDS, or nobody would be too early.
"""


class Throttle:
    """The refusals of one account."""

    def __init__(self) -> None:
        self._refused: deque[datetime] = deque()
        self._calls: deque[datetime] = deque()

    def exceeds(self, rate: tuple[int, float] | None, now: datetime) -> bool:
        """Count a call; return whether it is one too many for so many calls in so many seconds."""
        if not rate:
            return False
        calls, seconds = rate
        while self._calls and self._calls[0] <= now - timedelta(seconds=seconds):
            self._calls.popleft()
        if len(self._calls) >= calls:
            return True
        self._calls.append(now)
        return False

    def refuse(self, now: datetime) -> str:
        """Note a refusal; return what its Retry-After says."""
        self._refused.append(now)
        return str(RETRY_AFTER_SECONDS)

    def early(self, arrived: datetime) -> str:
        """Return how much too early a call came, in words; empty: it waited, or could not know."""
        while (
            self._refused and self._refused[0] + timedelta(seconds=RETRY_AFTER_SECONDS) <= arrived
        ):
            self._refused.popleft()
        # The oldest refusal counts: whoever was sent away then is still to wait.
        if not self._refused or arrived < self._refused[0] + timedelta(seconds=GRACE_SECONDS):
            return ""
        left = self._refused[0] + timedelta(seconds=RETRY_AFTER_SECONDS) - arrived
        return f"called {left.total_seconds():.1f} s before Retry-After had passed"
