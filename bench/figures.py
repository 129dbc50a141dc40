"""A figure of a benchmark: what a table and tomorrow's comparison need."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any


def figure(
    what: str,
    values: Sequence[float] | float,
    *,
    peer: str = "",
    unit: str = "x",
    limit: float | None = None,
) -> dict[str, Any]:
    """Give the median of the rounds' values, as `bench.run` takes it.

    `what` names it and stays the same from day to day; `peer`: what 1 means. `limit`: a positive
    one is the most allowed, a negative one the least.
    """
    rounds = [float(value) for value in ([values] if isinstance(values, int | float) else values)]
    return {
        "what": what,
        "peer": peer,
        "value": statistics.median(rounds),
        "unit": unit,
        "limit": limit,
        "rounds": rounds,
    }


def within(value: float, limit: float | None) -> bool:
    """Compare with a limit: a positive one is the most allowed, a negative one the least."""
    if limit is None:
        return True
    return value <= limit if limit > 0 else value >= -limit
