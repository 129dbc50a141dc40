"""The promise that a connection's rates and concurrency hold across everything that calls it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from bridge.core.model.syncs import Connection


class Budget(Protocol):
    """Shared by all workers. Implementations: bridge.queue (Redis) and its in-memory twin."""

    def acquire(
        self, connection: Connection, holder: str, now: datetime, hold: float, *, lane: str = "live"
    ) -> float:
        """Ask to make one call that lasts at most `hold` seconds; 0: go, else seconds to wait and ask again.

        Lanes below live leave it a part of every window (bridge.core.model.lanes) and the last
        place in flight.
        """

    def release(self, connection_name: str, holder: str) -> None:
        """Say that the call has ended."""

    def charge(self, connection: Connection, requests: int, now: datetime) -> None:
        """Count requests that were made without asking: each takes the next room in every window, as if it had waited.

        So nothing more is granted until the declared rates allow for what was made.
        """

    def hold_off(self, connection_name: str, seconds: float, now: datetime) -> None:
        """Grant nothing for so long, to anyone: the vendor has said Retry-After."""
