"""Finds the ticket that a REF names: `connection:remote-id`, a remote id, or how an id begins."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.core.model.state import Link
from bridge.engine.context import Context
from bridge.errors import UnknownName
from bridge.ledger import links
from bridge.ledger.database import Tx
from bridge.operations.desk import Desk

MIN_PREFIX = 4
"""Characters of a remote id that name its ticket if no other id begins so.

With a `…` after them, fewer will do.
"""


@dataclass(frozen=True, slots=True)
class TicketMatch:
    """The ticket that a REF names."""

    link_id: str
    records: str = ""
    """The records whose ids begin as REF does, `product:b652a9fd-9f06`; empty: REF was whole."""


def named(desk: Desk, ref: str) -> TicketMatch:
    """Return the one ticket that REF names. Raises UnknownName, saying what it could be."""
    with desk.ledger.read() as tx:
        return the_one(tx, ref)


def ticket(tx: Tx, context: Context, ref: str) -> Link:
    """Return the link of the one ticket that REF names. Raises UnknownName."""
    link_id = the_one(tx, ref).link_id
    return context.load(tx, [link_id])[link_id]


def the_one(tx: Tx, ref: str) -> TicketMatch:
    """Return which ticket REF names. Raises UnknownName, saying what it could be."""
    ids = links.find(tx, ref)
    if len(ids) > 1:
        raise UnknownName(f"several tickets are called {ref}: {', '.join(ids)}")
    if ids:
        return TicketMatch(ids[0])
    # What is no whole name may be the beginning of one, if it is long enough to be no slip.
    prefix = ref.removesuffix("…").removesuffix("...")
    shortened = prefix != ref  # as `bridge up` shows ids
    if shortened and len(ids := links.find(tx, prefix)) == 1:
        return TicketMatch(ids[0])
    return _by_prefix(tx, ref, prefix, long_enough=shortened or _id_part(prefix) >= MIN_PREFIX)


def _by_prefix(tx: Tx, ref: str, prefix: str, *, long_enough: bool) -> TicketMatch:
    matches = links.beginning(tx, prefix) if long_enough else []
    if not matches:
        near = ", ".join(closest(tx, prefix))
        hint = f"; close to it: {near}" if near else ""
        raise UnknownName(f"no ticket is called {ref}{hint}")
    records = ", ".join(f"{connection}:{remote_id}" for _link_id, connection, remote_id in matches)
    if len({link_id for link_id, _connection, _remote_id in matches}) > 1:
        raise UnknownName(f"several tickets begin with {prefix}: {records}")
    return TicketMatch(matches[0][0], records)


def _id_part(ref: str) -> int:
    """Return how many characters of the remote id were given."""
    return len(ref.rpartition(":")[2])


def closest(tx: Tx, ref: str) -> list[str]:
    """Return a few records, on any connection, whose id shares the most with REF, at least half."""
    remote_id = ref.rpartition(":")[2]
    for length in range(len(remote_id), max(2, len(remote_id) // 2) - 1, -1):
        if matches := links.beginning(tx, remote_id[:length], limit=3):
            return [f"{connection}:{found_id}" for _link_id, connection, found_id in matches]
    return []
