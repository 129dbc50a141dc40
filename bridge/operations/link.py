"""Changes that an admin makes to a ticket by hand: detach, relink, pause, resume.

Each act has a preview, which changes nothing and says what the act would lead to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from bridge.core.merge.leaving import settle_without_absent
from bridge.core.model.state import Link, Note, Side
from bridge.core.model.values import Ref
from bridge.engine.context import Context
from bridge.errors import Busy, NotPossible, UnknownName
from bridge.flow import copies
from bridge.flow.match import AMBIGUOUS
from bridge.flow.replan import plans, work_key
from bridge.ledger import hints, links, matching, parking, stray_copies
from bridge.ledger.database import Tx
from bridge.operations import find
from bridge.operations.desk import Desk
from bridge.operations.link_change import change_link, when_free


@dataclass(frozen=True, slots=True)
class LinkedRecord:
    """One record of a ticket."""

    connection: str
    remote_id: str
    condition: str = ""
    """`detached`, `deleted` or `retired`; empty: none of these."""

    def __str__(self) -> str:
        """Return `connection:remote-id`, and what is special about it."""
        return (
            f"{self.connection}:{self.remote_id}{f' ({self.condition})' if self.condition else ''}"
        )


@dataclass(frozen=True, slots=True)
class LinkPreview:
    """A ticket before an act, and what the act leads to, in words."""

    link_id: str
    sync: str
    paused: bool
    records: list[LinkedRecord]
    consequences: list[str]


def preview_detach(desk: Desk, ref: str) -> LinkPreview:
    """Say what `detach` would do. Raises UnknownName."""
    with desk.ledger.read() as tx:
        link, _connection = _record(tx, desk, ref)
    consequence = (
        f"{ref} leaves this ticket: nothing goes to it or comes from it, "
        "and no other is made for it"
    )
    return _preview(link, [consequence])


def detach(desk: Desk, ref: str) -> str:
    """Take a record out of its ticket, and return the ticket's id.

    Nothing goes to the record or comes from it, and it is not matched again. Raises UnknownName,
    NotPossible, Busy.
    """

    def act(tx: Tx) -> Link:
        link, connection = _record(tx, desk, ref)

        def leave(link: Link, _now: datetime) -> list[Note]:
            return [*_leave(desk, link, connection), *_settle_rest(tx, desk, link)]

        changed = change_link(tx, desk, link.id, leave)
        # Its match keys go with it: nothing is matched with this ticket by them any more.
        matching.put(tx, changed.sync, changed.id, connection, [])
        return changed

    return _act(desk, "link detach", ref, act)


def preview_relink(desk: Desk, ref: str, to: str | None = None) -> LinkPreview:
    """Say what `relink` would do to the ticket that gets the record.

    Raises UnknownName, and NotPossible where the ledger tells already that it cannot be.
    """
    connection, _, remote_id = ref.partition(":")
    consequences = [f"{ref} is read and merged: where the two differ, the sync's `on_link` decides"]
    with desk.ledger.read() as tx:
        target, source = _relinked(tx, desk, ref, to)
        if source is None:
            _need_set_aside(tx, Ref(connection, target.entity, remote_id), target.id)
        elif source.id == target.id:
            _need_detached(target, connection)
    if source is not None and source.id != target.id:
        consequences.append(
            f"the ticket it leaves ({source.id}) may get a new record on {connection}"
        )
    return _preview(target, consequences)


def relink(desk: Desk, ref: str, to: str | None = None) -> str:
    """Put a detached record back, or a record into ticket `to`; return the id of its ticket then.

    It is read and merged there like one that is seen for the first time. A record that is in no
    ticket yet can be put into one if it was set aside as an ambiguous match. Raises UnknownName,
    NotPossible, Busy.
    """
    connection, _, remote_id = ref.partition(":")

    def act(tx: Tx) -> Link:
        target, source = _relinked(tx, desk, ref, to)
        if source is None:
            _join(tx, desk, Ref(connection, target.entity, remote_id), target.id)
        elif source.id == target.id:
            change_link(tx, desk, target.id, lambda link, _now: _come_back(desk, link, connection))
        else:
            _move(tx, desk, source.id, connection, target.id)
        link = desk.context.load(tx, [target.id])[target.id]
        read_all(tx, desk, link)
        return link

    return _act(desk, "link relink", ref, act)


def preview_pause(desk: Desk, ref: str) -> LinkPreview:
    """Say what `pause` would do. Raises UnknownName."""
    with desk.ledger.read() as tx:
        link = find.ticket(tx, desk.context, ref)
    return _preview(link, ["nothing is written to its records until `bridge link resume`"])


def pause(desk: Desk, ref: str) -> str:
    """Stop a ticket, and return its id: its records are still read, and nothing is written to them.

    Raises UnknownName, NotPossible, Busy.
    """

    def change(link: Link, _now: datetime) -> list[Note]:
        if link.paused:
            raise NotPossible(f"{link.id} is paused already; `bridge link resume` lets it go on")
        link.paused = True
        return [Note("paused", "", "", {"by": desk.actor})]

    return _act(
        desk,
        "link pause",
        ref,
        lambda tx: change_link(tx, desk, find.ticket(tx, desk.context, ref).id, change),
    )


def preview_resume(desk: Desk, ref: str) -> LinkPreview:
    """Say what `resume` would do, as far as is known before the reading. Raises UnknownName."""
    with desk.ledger.read() as tx:
        link = find.ticket(tx, desk.context, ref)
    writes = would_write(desk.context, link) or ["as far as is known, nothing needs to be written"]
    return _preview(link, ["its records are read again", *writes])


def resume(desk: Desk, ref: str) -> str:
    """Let a paused ticket go on, and return its id: all of its records are read again first.

    Raises UnknownName, NotPossible, Busy.
    """

    def change(link: Link, _now: datetime) -> list[Note]:
        if not link.paused:
            raise NotPossible(f"{link.id} is not paused; nothing was changed")
        link.paused = False
        return [Note("resumed", "", "", {"by": desk.actor})]

    def act(tx: Tx) -> Link:
        link = change_link(tx, desk, find.ticket(tx, desk.context, ref).id, change)
        read_all(tx, desk, link)
        return link

    return _act(desk, "link resume", ref, act)


def would_write(context: Context, link: Link) -> list[str]:
    """Return in words what would be written to a link's records if it were not paused."""
    writes = []
    for name, planned in plans(context, replace(link, paused=False)).items():
        ref = f"{name}:{link.sides[name].remote_id}" if name in link.sides else name
        writes += [f"write {', '.join(sorted(call.sent))} of {ref}" for call in planned.calls]
        if planned.delete:
            writes.append(f"delete {ref}")
        if planned.create is not None and not planned.create.missing:
            writes.append(f"make a record on {name}")
    return writes


def read_all(tx: Tx, desk: Desk, link: Link) -> None:
    """Queue a reading of every record of a link; what it needs is planned after that."""
    for name, side in link.live().items():
        hints.give(tx, Ref(name, link.entity, side.remote_id), desk.now(), lane="operator")


def records(link: Link) -> list[LinkedRecord]:
    """Return the records of a link, those included that were detached or deleted."""
    retired = [LinkedRecord(name, side.remote_id, "retired") for name, side in link.retired.items()]
    return [
        LinkedRecord(name, side.remote_id, _condition(side)) for name, side in link.sides.items()
    ] + retired


def _condition(side: Side) -> str:
    return "detached" if side.detached else "deleted" if side.tombstone else ""


def _preview(link: Link, consequences: list[str]) -> LinkPreview:
    return LinkPreview(link.id, link.sync, link.paused, records(link), consequences)


def _act(desk: Desk, action: str, ref: str, act: Callable[[Tx], Link]) -> str:
    """Act in one transaction, together with the audit's line, and wake a worker."""

    def written_down(tx: Tx) -> str:
        link = act(tx)
        desk.write_down(tx, action, ref, {"ticket": link.id})
        return link.id

    link_id = when_free(desk, written_down)
    desk.announce()
    return link_id


def _record(tx: Tx, desk: Desk, ref: str) -> tuple[Link, str]:
    """Return the ticket and connection of a record.

    Raises UnknownName unless REF is a record, and NotPossible when it is retired.
    """
    link = find.ticket(tx, desk.context, ref)
    connection, _, remote_id = ref.partition(":")
    if connection in link.retired and link.retired[connection].remote_id == remote_id:
        raise NotPossible(
            f"{ref} is left alone already: {connection} is no member of {link.sync} (any more). "
            "Put it back into the files first"
        )
    if connection not in link.sides or link.sides[connection].remote_id != remote_id:
        known = ", ".join(map(str, records(link)))
        raise UnknownName(f"name the record as connection:remote-id; this ticket has {known}")
    return link, connection


def _relinked(tx: Tx, desk: Desk, ref: str, to: str | None) -> tuple[Link, Link | None]:
    """Return the ticket that a record goes to, and the one it is in, if any. Raises UnknownName."""
    # Asked without prefixes: a record in no ticket may have an id with which another's begins.
    if to is not None and not links.find(tx, ref):
        desk.connection(ref.partition(":")[0])
        return find.ticket(tx, desk.context, to), None
    source, _connection = _record(tx, desk, ref)
    return (source if to is None else find.ticket(tx, desk.context, to)), source


def _leave(desk: Desk, link: Link, connection: str) -> list[Note]:
    side = link.sides.get(connection)
    if side is not None and side.tombstone:
        raise NotPossible(
            f"{connection}:{side.remote_id} was deleted there already, so that nothing is left to "
            f"detach; `bridge link relink {connection}:ID --to {link.id}` puts another in its place"
        )
    if side is None or side.detached:
        known = ", ".join(f"{name}:{side.remote_id}" for name, side in link.live().items())
        raise NotPossible(
            f"{link.id} has no record on {connection} to detach; its records: {known or 'none'}"
        )
    ref = f"{connection}:{side.remote_id}"
    if side.attempt is not None:  # a write of unknown fate is settled by reading this side
        raise Busy(f"a write to {ref} is under way; ask again in a moment")
    side.detached, side.in_scope = True, False
    return [Note("detached", connection, "", {"ref": ref, "by": desk.actor})]


def _settle_rest(tx: Tx, desk: Desk, link: Link, *, moved: str = "") -> list[Note]:
    """Let a ticket's conflicts go on without a record that leaves it, and look at the others."""
    sync = desk.context.syncs.get(link.sync)
    notes = [] if sync is None else settle_without_absent(link, desk.context.rules(sync), moved)
    if notes:
        read_all(tx, desk, link)
    return notes


def _come_back(desk: Desk, link: Link, connection: str) -> list[Note]:
    side = _need_detached(link, connection)
    side.detached, side.in_scope = False, True
    return [_relinked_note(desk, Ref(connection, link.entity, side.remote_id))]


def _need_detached(link: Link, connection: str) -> Side:
    side = link.sides.get(connection)
    if side is None or not side.detached:
        raise NotPossible(
            f"the record of {link.id} on {connection} is not detached; nothing was changed"
        )
    return side


def _move(tx: Tx, desk: Desk, link_id: str, connection: str, target: str) -> None:
    """Take a record out of one ticket and put it into another of the same sync."""

    def leave(link: Link, _now: datetime) -> list[Note]:
        side = link.sides.get(connection)
        if side is None:
            known = ", ".join(f"{name}:{side.remote_id}" for name, side in link.live().items())
            raise NotPossible(
                f"{link_id} has no record on {connection}; its records: {known or 'none'}"
            )
        if side.attempt is not None or connection in link.intents:
            raise Busy(f"a write to {connection} is under way; ask again in a moment")
        detail = {"ref": f"{connection}:{side.remote_id}", "to": target, "by": desk.actor}
        note = Note("moved", connection, "", detail)
        return [note, *_settle_rest(tx, desk, link, moved=connection)]

    left = change_link(tx, desk, link_id, leave)
    side = left.sides[connection]

    def arrive(link: Link, _now: datetime) -> list[Note]:
        if link.entity != left.entity or link.sync != left.sync:
            raise NotPossible(
                f"{target} is a {link.entity} of {link.sync}: a record cannot move between syncs"
            )
        return _arrive(desk, link, Ref(connection, link.entity, side.remote_id))

    # The target is asked under its own lease, before the record moves. If it has no room, the whole
    # transaction is undone.
    change_link(tx, desk, target, arrive)
    links.move_side(tx, side.id, target)
    parking.unpark(tx, desk.now(), cause=AMBIGUOUS, link_id=link_id)
    matching.put(tx, left.sync, link_id, connection, [])
    own_key = copies.key_of(Ref(connection, left.entity, side.remote_id))
    matching.add(tx, left.sync, target, connection, [own_key])


def _join(tx: Tx, desk: Desk, ref: Ref, link_id: str) -> None:
    """Put a record into a ticket that was set aside because it fits several."""
    _need_set_aside(tx, ref, link_id)
    change_link(tx, desk, link_id, lambda link, _now: _arrive(desk, link, ref))
    side = Side(connection=ref.connection, remote_id=ref.id)
    if not links.add_side(tx, link_id, side, desk.now()):
        raise Busy(f"a worker has just found a ticket for {ref}; look again")
    stray_copies.forget(tx, ref)
    joined = desk.context.load(tx, [link_id])[link_id]
    matching.add(tx, joined.sync, link_id, ref.connection, [copies.key_of(ref)])


def _need_set_aside(tx: Tx, ref: Ref, link_id: str) -> None:
    # Any other record without a ticket is about to get one by itself.
    doubts = [hints.key(ref), work_key("create", link_id, ref.connection)]
    ids, _unknown = parking.find_ids(tx, doubts)
    if not ids:
        raise NotPossible(
            f"{ref} is in no ticket, and was not set aside; "
            "`bridge parked list` names those that were"
        )


def _arrive(desk: Desk, link: Link, ref: Ref) -> list[Note]:
    # One that was deleted there gives up its place.
    if ref.connection in link.live() or ref.connection in link.intents:
        raise NotPossible(
            f"{link.id} has a record on {ref.connection} already: detach that one first"
        )
    return [_relinked_note(desk, ref)]


def _relinked_note(desk: Desk, ref: Ref) -> Note:
    return Note("relinked", ref.connection, "", {"ref": str(ref), "by": desk.actor})
