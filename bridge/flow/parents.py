"""The ticket that a message or a session belongs to, and when they can follow it.

They are made on another connection as soon as their ticket is there.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from bridge.connectors.contract import Record
from bridge.core.mapping.transforms import CUSTOMERS_TICKET, TICKET_OF, TRANSFORMS
from bridge.core.merge.making import state_made
from bridge.core.model.capabilities import Support
from bridge.core.model.state import Link
from bridge.core.model.values import Canonical, Marker, Ref, Unreadable
from bridge.core.planning.creation import CreatePlan
from bridge.engine.context import Context
from bridge.flow.match_keys import customer_key
from bridge.ledger import hints, links, matching, work
from bridge.ledger.database import Tx

TICKET = "ticket"
OVER = ("resolved", "closed")
MAX_LOOKUPS = {TICKET_OF: 6, CUSTOMERS_TICKET: 2}
"""How often to look for a ticket that is not there yet, before the record is out of scope."""


def parent_of(
    tx: Tx, context: Context, ref: Ref, record: Record, now: datetime
) -> tuple[str | None, str]:
    """Return our id of the ticket that a record belongs to, or None and why there is none.

    A ticket of the same connection that is not mirrored yet is hinted at, for it may be about to
    be.
    """
    field_map = context.maps[ref.connection][ref.entity].parent
    if field_map is None:
        return None, ""
    raw = field_map.extract(record.data)
    if raw is None or isinstance(raw, Marker | Unreadable):
        return None, raw.why if isinstance(raw, Unreadable) else f"{ref} names no ticket"
    value = TRANSFORMS[field_map.parent].read(raw)
    if isinstance(value, Unreadable):
        return None, value.why
    if field_map.parent == TICKET_OF:
        return _by_ref(tx, context, Ref(ref.connection, TICKET, value), now)
    return _by_customer(tx, context, ref, value)


def belongs(context: Context, connection: str, entity: str) -> bool:
    """Return whether a connection's records of an entity belong to tickets."""
    return context.maps[connection][entity].parent is not None


def max_lookups(context: Context, ref: Ref) -> int:
    """Return how often to look again for a record's ticket."""
    field_map = context.maps[ref.connection][ref.entity].parent
    return MAX_LOOKUPS[field_map.parent] if field_map is not None else 0


def _by_ref(tx: Tx, context: Context, ticket: Ref, now: datetime) -> tuple[str | None, str]:
    link_id = links.of_refs(tx, [ticket]).get(ticket)
    if link_id is None and context.sync_of(ticket.connection, TICKET) is not None:
        # It may be about to be mirrored: its webhook and this one came in any order.
        hints.give(tx, ticket, now, unpark=False)
    return link_id, f"its ticket {ticket} is not mirrored"


def _by_customer(tx: Tx, context: Context, ref: Ref, email: Canonical) -> tuple[str | None, str]:
    """Choose the customer's newest open ticket, in a sync that shares a connection with ours."""
    own = context.sync_of(ref.connection, ref.entity)
    syncs = [
        sync
        for sync in context.syncs.values()
        if sync.entity == TICKET and own is not None and set(sync.members) & set(own.members)
    ]
    link_ids = {
        link_id for sync in syncs for link_id in matching.find(tx, sync.name, *customer_key(email))
    }
    loaded = context.load(tx, sorted(link_ids)).values()
    open_tickets = [link for link in loaded if link.live() and not _is_over(link)]
    if not open_tickets:
        return None, "its customer has no open ticket"
    return max(open_tickets, key=lambda link: (_made_at(link), link.id)).id, ""


def _is_over(link: Link) -> bool:
    state = link.state.get("status")
    return state is not None and state.value in OVER


def _made_at(link: Link) -> datetime:
    """Return when a ticket was made, by our clock; long ago, if nobody says so."""
    made = state_made(link)
    return made.middle if made is not None else datetime.min.replace(tzinfo=UTC)


def ready(tx: Tx, context: Context, link: Link, connection: str) -> bool:
    """Return whether a record can be made there: one that belongs to a ticket waits for it."""
    if not belongs(context, connection, link.entity):
        return True
    return (
        link.parent_id is not None
        and _ticket_at(tx, context, link.parent_id, connection) is not None
    )


def placed(
    tx: Tx, context: Context, link: Link, connection: str, planned: CreatePlan
) -> CreatePlan | None:
    """Put the connection's own id of the ticket where the plan has ours.

    None while there is no ticket there.
    """
    field_map = context.maps[connection][link.entity].parent
    if field_map is None or field_map.write_key is None:
        return planned
    ticket = None
    if link.parent_id is not None:
        ticket = _ticket_at(tx, context, link.parent_id, connection)
    if ticket is None:
        return None
    return replace(planned, values={**planned.values, field_map.write_key: ticket})


def _ticket_at(tx: Tx, context: Context, parent_id: str, connection: str) -> str | None:
    """Return the connection's own id of a ticket; None while it has none."""
    parent = context.load(tx, [parent_id]).get(parent_id)
    side = parent.live().get(connection) if parent is not None else None
    return side.remote_id if side is not None and side.missing_since is None else None


def queue_children(tx: Tx, context: Context, link: Link, connection: str, now: datetime) -> None:
    """Queue the creates that have waited for this ticket to come to a connection."""
    if not may_be_followed(context, link, connection):
        return
    for child in context.load(tx, links.children(tx, link.id)).values():
        if not _may_follow(context, child, connection):
            continue
        work.enqueue(
            tx,
            kind="create",
            key=f"create:{child.id}:{connection}",
            connection=connection,
            entity=child.entity,
            link_id=child.id,
            due_at=now,
            now=now,
        )


def may_be_followed(context: Context, link: Link, connection: str) -> bool:
    """Return whether it is a ticket, and anything is made on a connection that may belong to it."""
    return link.entity == TICKET and any(
        sync.entity != TICKET and sync.members[connection].create is not Support.NO
        for sync in context.syncs.values()
        if connection in sync.members
    )


def _may_follow(context: Context, child: Link, connection: str) -> bool:
    """Return whether what belongs to a ticket is to be made on that connection."""
    if child.sync not in context.syncs or connection in child.sides:
        return False
    member = context.syncs[child.sync].members.get(connection)
    return member is not None and member.create is not Support.NO
