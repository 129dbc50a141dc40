"""How Upscope's visitors and their screen shares are listed.

`list.json` has no pages, order or size that are documented, and a session is shown only inside its
visitor, among "recent" ones (README of https://github.com/upscopeio/rest-api, read 2026-11). So the
visitors that were there since the last poll are listed, and looked at one by one for sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bridge.connectors.contract import Page, Record
from bridge.connectors.parsing import Row, format_time, known_time, parse_time
from bridge.connectors.upscope.records import session, sessions, short_id
from bridge.errors import RateLimited, Unavailable
from bridge.http.caller import Answer

POLL_OVERLAP = timedelta(minutes=5)
"""Each poll begins this much before the newest visit of the last one."""
PAGE_SIZE = 50
"""Sessions of one page; each visitor costs a call."""


@dataclass(slots=True)
class Shares:
    """What looking at visitors one by one has shown so far."""

    finished: list[Record] = field(default_factory=list)
    running: list[str] = field(default_factory=list)
    """Visitors in the middle of a session."""
    left: list[str] = field(default_factory=list)
    """Visitors that were not looked at."""


@dataclass(frozen=True, slots=True)
class UpscopeListing:
    """The listings of one connection."""

    connection: str
    list_visitors: Callable[[], tuple[list[Row], Answer]]
    read_visitor: Callable[[str], tuple[Row, Answer] | None]
    now: Callable[[], datetime]
    time_limit: timedelta
    """How long visitors are looked at for one page."""
    sessions_since: datetime | None
    """Sessions that ended before are left out."""

    def seen_since(self, top: str | None) -> tuple[list[Row], Answer, str | None]:
        """List who was seen since shortly before the watermark, and those of unknown date.

        Also returns the answer, and the new watermark.
        """
        rows, answer = self.list_visitors()
        seen_at = {short_id(row): parse_time(row.get("last_seen_at")) for row in rows}
        times = [time for time in seen_at.values() if time is not None]
        if top:
            times.append(known_time(top))
            begin = known_time(top) - POLL_OVERLAP
            rows = [row for row in rows if (seen_at[short_id(row)] or begin) >= begin]
        return rows, answer, format_time(max(times)) if times else None

    def ended(self, state: Mapping[str, Any]) -> Page:
        """Return a page of finished sessions; without records it ends the poll.

        The state:

        - `top`: the newest visit
        - `todo`: visitors still to be looked at
        - `watch`: visitors whose session was running, to be looked at whatever their last visit
        - `going`: in the middle of a poll
        """
        top, todo = state.get("top"), list(state.get("todo", ()))
        watch = list(state.get("watch", ()))
        if not state.get("going"):
            rows, _, top = self.seen_since(top)
            todo = list(dict.fromkeys([*todo, *watch, *(short_id(row) for row in rows)]))
            watch = []
        shares = self.look_at(todo)
        after = {"top": top, "todo": shares.left, "watch": [*watch, *shares.running]}
        if shares.finished:
            after["going"] = True
        return Page(shares.finished, after)

    def scan(self, todo: Sequence[str]) -> Page:
        """Return a page of the finished sessions of these visitors; the cursor names the rest."""
        left = list(todo)
        finished: list[Record] = []
        while left and not finished:
            shares = self.look_at(left)
            finished, left = shares.finished, shares.left
        return Page(finished, {"todo": left} if left else None)

    def look_at(self, todo: Sequence[str]) -> Shares:
        """Look at visitors until a page is full or a call's time is over."""
        shares = Shares()
        begun_at = self.now()
        for number, visitor_id in enumerate(todo):
            late = self.now() - begun_at > self.time_limit
            if number and (late or len(shares.finished) >= PAGE_SIZE):
                shares.left = list(todo[number:])
                break
            try:
                visitor = self.read_visitor(visitor_id)
            except (Unavailable, RateLimited):
                # What the earlier ones showed counts; the next page begins with this one.
                if not number:
                    raise
                shares.left = list(todo[number:])
                break
            if visitor is not None:
                self._add_visitor(shares, visitor_id, *visitor)
        return shares

    def _add_visitor(self, shares: Shares, visitor_id: str, row: Row, answer: Answer) -> None:
        """Add what one visitor shows."""
        running = row.get("is_in_session") is True
        for number, share in sessions(row):
            finished = session(self.connection, row, number, share, answer)
            if finished is None:
                running = True
            elif self._is_wanted(finished):
                shares.finished.append(finished)
        if running:
            shares.running.append(visitor_id)

    def _is_wanted(self, share: Record) -> bool:
        ended_at = parse_time(share.data["ended_at"])
        since = self.sessions_since
        return since is None or ended_at is None or ended_at >= since
