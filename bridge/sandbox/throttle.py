"""Refusals for a while (429 with Retry-After), and the callers that do not keep to them."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import Final

RETRY_AFTER: Final = 2
"""Seconds for which a caller is sent away."""
GRACE: Final = 1.0
"""Seconds for calls that were under way already, from any process that shares the account.

What arrives later was sent by somebody who could have known. It is shorter than RETRY_AFTER, or
nobody would be too early.
"""


class Throttle:
    """The refusals of one account."""

    def __init__(self) -> None:
        self._refused: deque[datetime] = deque()

    def refuse(self, now: datetime) -> str:
        """Note a refusal; return what its Retry-After says."""
        self._refused.append(now)
        return str(RETRY_AFTER)

    def early(self, arrived: datetime) -> str:
        """Return how much too early a call came, in words; empty: it waited, or could not know."""
        while self._refused and self._refused[0] + timedelta(seconds=RETRY_AFTER) <= arrived:
            self._refused.popleft()
        if not self._refused or arrived < self._refused[0] + timedelta(seconds=GRACE):
            return ""
        left = self._refused[0] + timedelta(seconds=RETRY_AFTER) - arrived
        return f"called {left.total_seconds():.1f} s before Retry-After had passed"
