"""Whose turn it is: in which order due work is taken up, so that no connection starves another."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any


def in_turn(
    due: Iterable[Any], room: Mapping[str, int], load: Mapping[str, int] | None
) -> list[Any]:
    """Put the rows below live that exceed their connection's room behind all others.

    Of the rest, let the connections of each lane take turns. A connection that has some `load`
    already has had as many; no load at all (None) says that every row fits, and their order stays.
    """
    taken: Counter[str] = Counter()
    order: list[tuple[bool, int, int]] = []
    rows = list(due)
    for row in rows:
        name = row.connection
        over_room = row.lane > 0 and taken[name] >= room.get(name, sys.maxsize)
        turn = 0 if load is None else load.get(name, 0) + taken[name]
        order.append((over_room, row.lane, turn))
        taken[name] += 1
    return [rows[place] for place in sorted(range(len(rows)), key=order.__getitem__)]
