"""The table of the ways in which a vendor answers wrongly, and how one is entered into it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from tests.hostile.exchange import Exchange

Way = Callable[[Exchange], None]
WAYS: dict[str, Way] = {}
"""By name, which is what the table in docs/reliability.md says: `slow: status line`."""

LIES: set[str] = set()
"""Ways in which values are shown that are plausible and untrue. Nobody can tell them from edits."""

LATE: set[str] = set()
"""Ways that come to no end by themselves: only the caller's own deadline ends such a call."""

DATE = re.compile(r"\d{4}-\d\d-\d\dT")


def way(name: str, *, late: bool = False) -> Callable[[Way], Way]:
    """Enter a way into the table."""

    def enter(act: Way) -> Way:
        assert name not in WAYS, name
        if late:
            LATE.add(name)
        WAYS[name] = act
        return act

    return enter


def spoiling(name: str, *, lies: bool = False) -> Callable[[Callable[[Exchange, Any], Any]], Way]:
    """Enter a way that changes the body of a right answer; an answer without one stays."""

    def enter(change: Callable[[Exchange, Any], Any]) -> Way:
        def spoil(call: Exchange) -> None:
            reply = call.real()
            if reply.status >= 300 or not reply.body.strip():
                call.pass_on(reply)
                return
            changed = change(call, reply.json())
            call.send(
                reply.status,
                changed if isinstance(changed, bytes) else json.dumps(changed).encode(),
            )

        if lies:
            LIES.add(name)
        return way(name)(spoil)

    return enter
