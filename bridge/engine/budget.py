"""The interface of the budget that holds all callers of a connection to its rates."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from bridge.core.model.budget_use import BudgetUse
from bridge.core.model.syncs import Connection


class Budget(Protocol):
    """Shared by all workers. Implemented in `bridge.queue`, on Redis and in memory."""

    def acquire(
        self, connection: Connection, holder: str, now: datetime, hold: float, *, lane: str = "live"
    ) -> float:
        """Ask to make one call that lasts at most `hold` seconds.

        Return 0 if it may be made, else the seconds to wait before asking again.

        Lanes below live leave it a part of every window (bridge.core.model.lanes) and the last
        place in flight.
        """

    def release(self, connection_name: str, holder: str) -> None:
        """Give the call's place back, for it has ended."""

    def charge(self, connection: Connection, requests: int, now: datetime) -> None:
        """Count requests that were made without asking.

        Each takes the next room in every window, as if it had waited, so nothing more is granted
        until the declared rates allow for what was made.
        """

    def hold_off(self, connection_name: str, seconds: float, now: datetime) -> None:
        """Grant nothing for so long, to anyone: the vendor has said Retry-After."""

    def use(self, connection: Connection, now: datetime) -> BudgetUse | None:
        """Return how much is in use, and take nothing. None: nobody knows, Redis is away."""
