"""What an admin does to a link by hand: take a record out, put it back or elsewhere, stop it, let it go on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from bridge.core.model.state import Link, Note, Side
from bridge.core.model.values import Ref
from bridge.engine.context import Context
from bridge.errors import Busy, NotPossible
from bridge.flow.replan import plans
from bridge.ledger import hints, links, matching, parking, timeline
from bridge.ledger.database import Tx
from bridge.operations.conflicts import HOLD


def under_lease(
    tx: Tx, context: Context, link_id: str, change: Callable[[Link, datetime], list[Note]]
) -> Link:
    """Change a link under its lease, and say so in its timeline. Raises Busy while a worker has it."""
    now, token = context.clock.now(), f"operator/{context.fresh_id()}"
    fence = links.lease(tx, link_id, token, now, now + HOLD)
    if fence is None:
        raise Busy(f"a worker has {link_id} just now; ask again in a moment")
    link = links.load(tx, [link_id])[link_id]
    notes = change(link, now)
    links.save(tx, link, token, fence, now)
    timeline.add(tx, link_id, now, notes)
    links.release(tx, link_id, token, fence)
    return link


def detach(tx: Tx, context: Context, link_id: str, connection: str, who: str) -> Link:
    """Take a record out of its link: nothing goes to it or comes from it, and it is not matched again."""

    def change(link: Link, _now: datetime) -> list[Note]:
        side = link.live().get(connection)
        if side is None or side.detached:
            raise NotPossible(
                f"{link_id} has no record on {connection} to detach; its records: {_refs(link)}"
            )
        if side.attempt is not None:
            raise Busy(
                f"a write to {connection}:{side.remote_id} is under way; ask again in a moment"
            )
        side.detached, side.in_scope = True, False
        return [
            Note("detached", connection, "", {"ref": f"{connection}:{side.remote_id}", "by": who})
        ]

    link = under_lease(tx, context, link_id, change)
    matching.put(tx, link.sync, link_id, connection, [])
    return link


def relink(
    tx: Tx, context: Context, link_id: str, connection: str, who: str, *, to: str | None = None
) -> Link:
    """Put a record back into its link, or into another one; it is read and merged like one seen for the first time."""
    target = to if to is not None and to != link_id else None
    if target is None:

        def back(link: Link, _now: datetime) -> list[Note]:
            side = link.sides.get(connection)
            if side is None or not side.detached:
                raise NotPossible(
                    f"the record of {link_id} on {connection} is not detached; nothing was changed"
                )
            side.detached, side.in_scope = False, True
            return [
                Note(
                    "relinked", connection, "", {"ref": f"{connection}:{side.remote_id}", "by": who}
                )
            ]

        link = under_lease(tx, context, link_id, back)
        look(tx, context, link)
        return link
    return _move(tx, context, link_id, connection, target, who)


def _move(tx: Tx, context: Context, link_id: str, connection: str, target: str, who: str) -> Link:
    def leave(link: Link, _now: datetime) -> list[Note]:
        side = link.sides.get(connection)
        if side is None:
            raise NotPossible(
                f"{link_id} has no record on {connection}; its records: {_refs(link)}"
            )
        if side.attempt is not None or connection in link.intents:
            raise Busy(f"a write to {connection} is under way; ask again in a moment")
        return [
            Note(
                "moved",
                connection,
                "",
                {"ref": f"{connection}:{side.remote_id}", "to": target, "by": who},
            )
        ]

    left = under_lease(tx, context, link_id, leave)
    side = left.sides[connection]

    def arrive(link: Link, _now: datetime) -> list[Note]:
        if link.entity != left.entity or link.sync != left.sync:
            raise NotPossible(
                f"{target} is a {link.entity} of {link.sync}: a record cannot move between syncs"
            )
        _has_room(link, connection)
        return [
            Note("relinked", connection, "", {"ref": f"{connection}:{side.remote_id}", "by": who})
        ]

    under_lease(tx, context, target, arrive)
    links.move_side(tx, side.id, target)
    matching.put(tx, left.sync, link_id, connection, [])
    link = links.load(tx, [target])[target]
    look(tx, context, link)
    return link


def join(tx: Tx, context: Context, ref: Ref, link_id: str, who: str) -> Link:
    """Put a record into a ticket that was set aside because nobody could tell which ticket it is."""
    ids, _unknown = parking.find_ids(tx, [hints.key(ref)])
    if not ids:
        raise NotPossible(
            f"{ref} is in no ticket, and was not set aside; `bridge parked list` names those that were"
        )

    def arrive(link: Link, _now: datetime) -> list[Note]:
        _has_room(link, ref.connection)
        return [Note("relinked", ref.connection, "", {"ref": str(ref), "by": who})]

    under_lease(tx, context, link_id, arrive)
    if not links.add_side(
        tx, link_id, Side(connection=ref.connection, remote_id=ref.id), context.clock.now()
    ):
        raise Busy(f"a worker has just found a ticket for {ref}; look again")
    link = links.load(tx, [link_id])[link_id]
    look(tx, context, link)
    return link


def pause(tx: Tx, context: Context, link_id: str, who: str) -> Link:
    """Stop a ticket: what happens to its records is still read, and nothing is written."""

    def change(link: Link, _now: datetime) -> list[Note]:
        if link.paused:
            raise NotPossible(f"{link_id} is paused already; `bridge link resume` lets it go on")
        link.paused = True
        return [Note("paused", "", "", {"by": who})]

    return under_lease(tx, context, link_id, change)


def resume(tx: Tx, context: Context, link_id: str, who: str) -> Link:
    """Let a paused ticket go on: all of its records are read again first."""

    def change(link: Link, _now: datetime) -> list[Note]:
        if not link.paused:
            raise NotPossible(f"{link_id} is not paused; nothing was changed")
        link.paused = False
        return [Note("resumed", "", "", {"by": who})]

    link = under_lease(tx, context, link_id, change)
    look(tx, context, link)
    return link


def look(tx: Tx, context: Context, link: Link) -> None:
    """Queue a reading of every record of a link; what it needs is planned after that."""
    now = context.clock.now()
    for name, side in link.live().items():
        hints.give(tx, Ref(name, link.entity, side.remote_id), now, lane="operator")


def would_write(context: Context, link: Link) -> list[str]:
    """Say in words what the bridge would write to a link's records, as it knows them, if it were not paused."""
    link.paused = False
    told = []
    for name, planned in plans(context, link).items():
        ref = f"{name}:{link.sides[name].remote_id}" if name in link.sides else name
        told += [f"write {', '.join(sorted(call.sent))} of {ref}" for call in planned.calls]
        if planned.delete:
            told.append(f"delete {ref}")
        if planned.create is not None and not planned.create.missing:
            told.append(f"make a record on {name}")
    return told


def _has_room(link: Link, connection: str) -> None:
    if connection in link.sides or connection in link.intents:
        raise NotPossible(f"{link.id} has a record on {connection} already: detach that one first")


def _refs(link: Link) -> str:
    return ", ".join(f"{name}:{side.remote_id}" for name, side in link.live().items()) or "none"
