"""Facts about the bridge's own work for the judge: rows in the form of `bridge.verify.report`.

The judge knows nothing of the bridge; it compares these rows with what the systems wrote down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from bridge.core.merge.equality import decision_holds, lack_holds
from bridge.core.model.capabilities import Support, creating
from bridge.core.model.state import Link, SideField
from bridge.core.model.values import NO_BASE, Ref
from bridge.engine.context import Context
from bridge.ledger import conflict_log, directory, links, parking, probes, stray_copies, timeline
from bridge.ledger.database import Tx

TICKET: Final = "ticket"
AMBIGUOUS: Final = "ambiguous match"
"""The cause with which a record is parked that fits several tickets."""
_PAGE_SIZE: Final = 500
_MAX_PARKED: Final = 10_000
_NEVER: Final = datetime.min.replace(tzinfo=UTC)

Fact = dict[str, Any]
"""One row; its `kind` says which keys it has."""


def facts(context: Context, tx: Tx) -> list[Fact]:
    """Return everything that the judge wants to know."""
    return [
        *connections(context, tx),
        *records(context, tx),
        *conflicts(context, tx),
        *ambiguous(context, tx),
        *refused_words(context, tx),
    ]


def connections(context: Context, tx: Tx) -> Iterator[Fact]:
    """Return a row for each account: whether tickets get a counterpart there, and its fields."""
    for name, connection in context.connections.items():
        mirrored = context.sync_of(name, TICKET) is not None
        yield {
            "kind": "connection",
            "name": name,
            "system": connection.system,
            "creates": mirrored and _creates(context, tx, name),
            "fields": sorted(context.maps[name][TICKET].fields) if mirrored else [],
        }


def _creates(context: Context, tx: Tx, name: str) -> bool:
    """Return whether tickets get a counterpart there: configured, possible, not found forbidden."""
    sync = context.sync_of(name, TICKET)
    if sync is None or sync.members[name].create is Support.NO:
        return False
    if context.capabilities[name][TICKET].creates is Support.NO:
        return False
    return bool(probes.findings(tx, name).get(creating(TICKET), True))


def all_links(context: Context, tx: Tx) -> Iterator[Link]:
    """Return every link, loaded in pages."""
    last_id = ""
    while ids := links.ids(tx, last_id, _PAGE_SIZE):
        yield from context.load(tx, ids).values()
        last_id = ids[-1]


def records(context: Context, tx: Tx) -> Iterator[Fact]:
    """Return a row for each link, each record out of scope, and each value that is not carried."""
    with_strangers = directory.links_with_strangers(tx)
    not_written = {name: _never_written(context, tx, name) for name in context.connections}
    for link in all_links(context, tx):
        refs = {name: side.remote_id for name, side in link.sides.items()}
        yield {"kind": "link", "entity": link.entity, "refs": refs, **_history(tx, link)}
        for name, side in link.sides.items():
            ref = _ref(name, link.entity, side.remote_id)
            if not side.in_scope:
                yield {"kind": "out_of_scope", **ref}
            for field, entry in side.fields.items():
                stranger = (link.id, field) in with_strangers
                why = _not_carried(link, field, entry, stranger=stranger)
                if field in not_written[name] and entry.remembered_answer is not None:
                    why = why or "this deployment ignores what is written"
                if why and field in context.maps[name][link.entity].fields:
                    yield {"kind": "not_carried", "field": field, **ref, "why": why}
                if entry.unreadable and entry.shadow is NO_BASE:
                    yield {"kind": "never_read", "field": field, **ref, "why": entry.unreadable}


def _never_written(context: Context, tx: Tx, connection: str) -> frozenset[str]:
    """Return the fields of tickets that the deployment was found to ignore when they are sent."""
    found, fields = probes.findings(tx, connection), context.maps[connection].get(TICKET)
    return frozenset(
        name
        for name, mapped in (fields.fields.items() if fields is not None else ())
        if found.get(mapped.write_key or "") is False
    )


def _not_carried(link: Link, field: str, entry: SideField, *, stranger: bool) -> str:
    """Return why a side is not expected to show a field as agreed; nothing when it is."""
    if entry.unreadable:
        return entry.unreadable
    if entry.decided_why and decision_holds(entry, link.state):
        return entry.decided_why
    if stranger:
        return "somebody is not mapped"
    state = link.state.get(field)
    if state is None:
        return ""
    lacking = sorted(element for element in entry.lacks if lack_holds(entry, state, element))
    return f"does not take {', '.join(lacking)}" if lacking else ""


def ambiguous(context: Context, tx: Tx) -> Iterator[Fact]:
    """Return a row for each record of which nobody but a human can say which ticket it is."""
    for row in parking.parked(tx, _MAX_PARKED, cause=AMBIGUOUS):
        # A hint that fits several tickets names its record; a ticket that fits several, its link.
        if row.remote_id is not None:
            refs = [Ref(row.connection, row.entity, row.remote_id)]
        elif row.link_id is not None:
            refs = _records_of(context, tx, row.link_id)
        else:
            refs = []
        for ref in refs:
            yield {"kind": "ambiguous", **_ref(ref.connection, ref.entity, ref.id)}
    for ref in stray_copies.all_of(tx):
        yield {"kind": "ambiguous", **_ref(ref.connection, ref.entity, ref.id)}


def refused_words(context: Context, tx: Tx) -> Iterator[Fact]:
    """Return a row for each value that waits for a human, as its deployment refuses the word."""
    for row in parking.parked(tx, _MAX_PARKED):
        if not row.learned or row.link_id is None:
            continue
        for ref in _records_of(context, tx, row.link_id):
            if ref.connection == row.connection:
                place = _ref(ref.connection, ref.entity, ref.id)
                yield {"kind": "not_carried", "field": row.field, **place, "why": row.why}


def _records_of(context: Context, tx: Tx, link_id: str) -> list[Ref]:
    return [
        Ref(name, link.entity, side.remote_id)
        for link in context.load(tx, [link_id]).values()
        for name, side in link.sides.items()
    ]


def _history(tx: Tx, link: Link) -> Fact:
    """Return when all sides had been read, what a side first showed later, and which writes landed.

    A write whose answer nobody heard has landed, for all that a read can tell, where its value
    stands.
    """
    first_seen: dict[str, datetime] = {}
    joined: dict[str, datetime] = {}
    later: list[Fact] = []
    landed: list[Fact] = []
    for line in sorted(timeline.timeline(tx, link.id), key=lambda line: line.at):
        # Joining the link is no reading yet. It counts where nothing else was written down.
        times = joined if line.kind in {"linked", "matched"} else first_seen
        times.setdefault(line.connection, line.at)
        place = {"connection": line.connection, "field": line.field}
        if line.kind == "first contact":
            later.append({**place, "at": line.at.isoformat()})
        if line.kind == "landed":
            landed.append({**place, "value": line.detail.get("sent")})
    read = [first_seen.get(name, joined.get(name)) for name in link.sides]
    all_read = max((at for at in read if at is not None), default=_NEVER)
    return {"met": all_read.isoformat(), "met_later": later, "landed": landed}


def conflicts(context: Context, tx: Tx) -> Iterator[Fact]:
    """Return a row for each recorded conflict, with every value that was in it."""
    first_sides = {
        link.id: _ref(name, link.entity, side.remote_id)
        for link in all_links(context, tx)
        for name, side in list(link.sides.items())[:1]
    }
    for row in conflict_log.export(tx):
        yield {
            "kind": "conflict",
            "field": row["field"],
            "open": row["closed_at"] is None,
            "values": _values(row["detail"]),
            **first_sides.get(row["link_id"], _ref("", TICKET, "")),
        }


def _values(detail: Mapping[str, Any]) -> list[Any]:
    """Return every value that a conflict's detail names: edits, what waits, what was written."""
    edits = [edit for edit in (detail.get("mine"), detail.get("theirs")) if edit]
    return [
        *(edit.get(key) for edit in edits for key in ("value", "raw")),
        *(detail.get("candidates") or {}).values(),
        *(detail[key] for key in ("sent", "before", "value") if key in detail),
    ]


def _ref(connection: str, entity: str, remote_id: str) -> Fact:
    return {"connection": connection, "entity": entity, "id": remote_id}
