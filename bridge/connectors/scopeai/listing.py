"""How ScopeAI's listings are walked: windows of creation, in pages that a `Link` header chains.

Oddities of https://github.com/scopeai/slate, read 2026-11:
- A listing without `start_date` silently shows the last 14 days. The documented address of the next
  page has lost it. So the window is sent with every page.
- Whether the ends of a window belong to it is not said, so windows are a little wider than asked.
- No order is promised: whoever looks for something reads to the last page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, floor
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

from bridge.connectors.parsing import Row, array_rows, format_time, row_id
from bridge.connectors.scopeai.capabilities import PAGE_SIZE, TAGS_PATH, TICKETS_PATH
from bridge.errors import NotFound, Unavailable
from bridge.http.caller import Answer
from bridge.scrubber import Scrubber

MAX_PAGES = 100_000
"""A listing that goes on beyond so many pages leads round in a circle."""
MAX_SHOWN_LENGTH = 100
WINDOW_MARGIN = timedelta(minutes=5)

_LINK = re.compile(
    r"<([^<>]*)>((?:\s*;\s*[\w!#$&+\-.^`|~*]+\s*(?:=\s*(?:\"(?:[^\"\\]|\\.)*\"|[^\s\",;]*))?)*)"
)
_PARAMETER = re.compile(r";\s*([\w!#$&+\-.^`|~*]+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s\",;]*))")

State = dict[str, Any]
"""Where a listing of tickets stands, as JSON:

- `from`, `to`: its window, in seconds since 1970
- `at`: when it began
- `next`: the query of the page to come; None after the last
- `page`: the number of that page
- `given`: the ids of the page before, so that rows which slip onto the next one come once
"""
Query = dict[str, str]


@dataclass(frozen=True, slots=True)
class ScopeaiListing:
    """The listings of one connection. Raises Unavailable where one does not hold together."""

    connection: str
    base_url: str
    call: Callable[[str, Mapping[str, str]], Answer]
    scrubber: Scrubber
    """For what a refusal repeats of an answer."""

    def begin(self, since: datetime | None, now: datetime) -> State:
        """Return the state of a listing of what was created from a time on; None: ever."""
        start = max(0, floor((since - WINDOW_MARGIN).timestamp())) if since is not None else 0
        return {
            "from": start,
            "to": ceil((now + WINDOW_MARGIN).timestamp()),
            "at": format_time(now),
            "page": 1,
            "next": {},
        }

    def pages(self, state: State) -> Iterator[tuple[list[Row], Answer, State]]:
        """Yield page after page: its rows, and the state after it."""
        while state["next"] is not None:
            rows, answer, following = self.page(state)
            ids = [row_id(row) for row in rows]
            state = {**state, "next": following, "page": state["page"] + 1, "given": ids}
            yield rows, answer, state

    def next_new(self, state: State) -> tuple[list[Row], Answer, State] | None:
        """Return the next rows that the page before did not give; None when there are no more."""
        before = set(state.get("given", ()))
        for rows, answer, after in self.pages(state):
            fresh = {row_id(row): row for row in rows if row_id(row) not in before}
            if fresh:
                return list(fresh.values()), answer, after
            before = set(after["given"])
        return None

    def page(self, state: State, size: int = PAGE_SIZE) -> tuple[list[Row], Answer, Query | None]:
        """Return one page, and the query of the one after it."""
        window = {"start_date": str(state["from"]), "end_date": str(state["to"])}
        query = {"per_page": str(size), **state["next"], **window}
        answer = self.get(TICKETS_PATH, query)
        following = self._following(TICKETS_PATH, answer, query, state["page"])
        return array_rows(self.connection, answer), answer, following

    def tags(self) -> Iterator[Row]:
        """List the catalogue of tags. Those that are not relevant are hidden (both revisions)."""
        following: Query | None = {}
        number = 1
        while following is not None:
            query = {"relevant": "true", "per_page": str(PAGE_SIZE), **following}
            answer = self.get(TAGS_PATH, query)
            yield from array_rows(self.connection, answer)
            following = self._following(TAGS_PATH, answer, query, number)
            number += 1

    def get(self, path: str, query: Mapping[str, str]) -> Answer:
        """Ask for one page."""
        try:
            return self.call(path, query)
        except NotFound as error:
            raise self._unavailable(
                "there is no listing here; check base_url", error.status
            ) from None

    def _following(self, path: str, answer: Answer, query: Query, number: int) -> Query | None:
        """Return the query of the next page. Raises Unavailable where it leads back."""
        following = next_query(self.connection, self.base_url, path, answer, self.scrubber)
        if following is None:
            return None
        same = all(query.get(name) == value for name, value in following.items())
        if number >= MAX_PAGES or same:
            raise self._unavailable(
                "the listing leads round in a circle, it cannot be read to its end", answer.status
            )
        to = _page_number(following)
        if to is not None and to <= (_page_number(query) or 1):
            raise self._unavailable(
                "the next page is said to be an earlier one, the listing has no end", answer.status
            )
        return following

    def _unavailable(self, what: str, status: int | None) -> Unavailable:
        return Unavailable(self.connection, what, status=status)


def links(header: str) -> dict[str, str]:
    """Read a `Link` header (RFC 8288): relation -> address, the first of each."""
    addresses: dict[str, str] = {}
    # The documented example is folded over two lines (both revisions).
    for address, parameters in _LINK.findall(" ".join(header.split())):
        values = [
            (name.lower(), quoted or bare) for name, quoted, bare in _PARAMETER.findall(parameters)
        ]
        relations = next((value for name, value in values if name == "rel"), "")
        for relation in relations.lower().split():
            addresses.setdefault(relation, address)
    return addresses


def next_query(
    connection: str, base_url: str, path: str, answer: Answer, scrubber: Scrubber
) -> Query | None:
    """Return the query of the next page; None when this was the last.

    Only the query is taken over, and only from the same place: an address that a server names may
    lead anywhere, and the key goes nowhere else. Raises Unavailable, naming the host.
    """
    address = links(answer.headers.get("link", "")).get("next")
    if address is None:
        return None
    here = base_url.rstrip("/") + path
    try:
        there, mine = urlsplit(urljoin(here, address)), urlsplit(here)
        same = (there.scheme, there.hostname, there.port) == (mine.scheme, mine.hostname, mine.port)
    except ValueError:
        raise Unavailable(
            connection, "the next page has an address that cannot be read", status=answer.status
        ) from None
    if not same or there.username is not None:
        where = scrubber.beginning(f"{there.scheme}://{there.hostname}", MAX_SHOWN_LENGTH)
        raise Unavailable(
            connection,
            f"the next page is said to be at {where}; it was not asked for, check base_url",
            status=answer.status,
        )
    if there.path.rstrip("/") != mine.path.rstrip("/"):
        raise Unavailable(
            connection,
            "the next page is said to be on another path; check base_url",
            status=answer.status,
        )
    return dict(parse_qsl(there.query))


def _page_number(query: Mapping[str, str]) -> int | None:
    number = query.get("page", "")
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else None
