"""A doorbell as the rest of the bridge uses it, and one that wakes nobody; neither needs Redis."""

from __future__ import annotations

from typing import Protocol

from bridge.core.model.outcome_codes import Code


class Bell(Protocol):
    """A doorbell, as the rest of the bridge uses it."""

    def ring(self) -> bool:
        """Ask for a drain; False if Redis was not reached (the clock rings again)."""

    def answered(self) -> None:
        """Mark the ring as answered: work that comes from now on needs a new ring."""

    def ping(self) -> bool:
        """Return whether Redis answers."""

    def fault(self) -> Code | None:
        """Return what keeps Redis from being rung, found out by a write; None: nothing does."""


class NullDoorbell:
    """A doorbell for processes that wake nobody; the clock announces their work."""

    def ring(self) -> bool:
        """Do nothing."""
        return False

    def answered(self) -> None:
        """Do nothing."""

    def ping(self) -> bool:
        """Return False: there is no Redis."""
        return False

    def fault(self) -> Code | None:
        """Say that Redis is away: there is none."""
        return Code.REDIS_DOWN
