"""How much of a connection's budget of calls is in use, for whoever looks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """The calls of all workers together, at one moment."""

    made: tuple[int, ...]
    """In the window that ends now, for each declared rate."""
    in_flight: int
    held_off: float
    """For so many seconds nothing is granted, because the vendor asked for that."""
