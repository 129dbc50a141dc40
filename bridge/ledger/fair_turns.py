"""Whose turn it is: in which order due work is taken up, so that no connection starves another."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Room:
    """How many rows below live a connection has room for."""

    spare: int = sys.maxsize
    """What it can be asked for at once."""
    most: int = sys.maxsize
    """With what may wait for it."""


def in_turn(
    due: Iterable[Any], room: Mapping[str, Room], load: Mapping[str, int] | None
) -> list[Any]:
    """Put the rows below live that exceed their connection's spare room behind all others.

    Those that may not even wait are left out. Of the rest, let the connections of each lane take
    turns. A connection that has some `load` already has had as many; no load at all (None) says
    that every row fits, and their order stays.
    """
    taken: Counter[str] = Counter()
    rows: list[Any] = []
    order: list[tuple[bool, int, int]] = []
    for row in due:
        name = row.connection
        its_room = room.get(name, Room())
        if row.lane > 0 and taken[name] >= its_room.most:
            continue
        over_room = row.lane > 0 and taken[name] >= its_room.spare
        rows.append(row)
        turn = 0 if load is None else load.get(name, 0) + taken[name]
        order.append((over_room, row.lane, turn))
        taken[name] += 1
    return [rows[place] for place in sorted(range(len(rows)), key=order.__getitem__)]
