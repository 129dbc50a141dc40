"""What a run has to say for itself, as rows for the checker of `bridge.verify.report`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from bridge.core.merge.equality import lack_holds
from bridge.core.model.capabilities import Support
from bridge.core.model.state import Link
from bridge.engine.context import Context
from bridge.ledger import conflict_log, directory, links, parking, probes, timeline
from bridge.ledger.database import Tx

TICKET: Final = "ticket"
AMBIGUOUS: Final = "ambiguous match"
_PAGE: Final = 500


def facts(context: Context, tx: Tx) -> list[dict[str, Any]]:
    """Give all of them."""
    return [*connections(context, tx), *records(context, tx), *disputes(tx), *ambiguous(tx)]


def connections(context: Context, tx: Tx) -> Iterator[dict[str, Any]]:
    """Give a row for each account: whether tickets get a counterpart there, and which fields are kept in step."""
    for name, found in context.connections.items():
        creates, fields = False, []
        sync = context.sync_of(name, TICKET)
        if sync is not None:
            can = context.capabilities[name][TICKET].creates
            if sync.members[name].create is not Support.NO and can is not Support.NO:
                creates = probes.findings(tx, name).get("create", True)
            fields = sorted(context.maps[name][TICKET].fields)
        yield {
            "kind": "connection",
            "name": name,
            "system": found.system,
            "creates": creates,
            "fields": fields,
        }


def all_links(tx: Tx) -> Iterator[Link]:
    """Give every link, in pages."""
    after = ""
    while ids := links.ids(tx, after, _PAGE):
        yield from links.load(tx, ids).values()
        after = ids[-1]


def records(context: Context, tx: Tx) -> Iterator[dict[str, Any]]:
    """Give a row for each link, and one for each field that a side is declared unable to hold."""
    nameless = directory.links_with_strangers(tx)
    for link in all_links(tx):
        refs = {name: side.remote_id for name, side in link.sides.items()}
        yield {"kind": "link", "entity": link.entity, "refs": refs, **met(tx, link)}
        for name, side in link.sides.items():
            ref = {"connection": name, "entity": link.entity, "id": side.remote_id}
            if not side.in_scope:
                yield {"kind": "out_of_scope", **ref}
            for field, entry in side.fields.items():
                mapped = context.maps[name][link.entity].fields.get(field)
                why = entry.unreadable or (entry.decided_why if entry.decided is not None else "")
                why = why or ("somebody is not mapped" if (link.id, field) in nameless else "")
                state = link.state.get(field)
                if state is not None and any(
                    lack_holds(entry, state, element) for element in entry.lacks
                ):
                    why = why or f"does not take {', '.join(sorted(entry.lacks))}"
                if why and mapped is not None:
                    yield {"kind": "not_carried", "field": field, **ref, "why": why}


def ambiguous(tx: Tx) -> Iterator[dict[str, Any]]:
    """Give a row for each record of which nobody but a human can say which ticket it is."""
    for row in parking.parked(tx, 10_000):
        if row.cause == AMBIGUOUS and row.remote_id is not None:
            yield {
                "kind": "ambiguous",
                "connection": row.connection,
                "entity": row.entity,
                "id": row.remote_id,
            }
        elif row.cause == AMBIGUOUS and row.link_id is not None:
            for link in links.load(tx, [row.link_id]).values():
                for name, side in link.sides.items():
                    yield {
                        "kind": "ambiguous",
                        "connection": name,
                        "entity": link.entity,
                        "id": side.remote_id,
                    }


def met(tx: Tx, link: Link) -> dict[str, Any]:
    """Give when all sides of a link had been read, which fields a side has shown later than that, and what landed.

    A write whose answer nobody heard has landed, for all that a read can tell, where its value
    stands.
    """
    first: dict[str, datetime] = {}
    joined: dict[str, datetime] = {}
    later: list[dict[str, str]] = []
    landed: list[dict[str, Any]] = []
    for line in sorted(timeline.timeline(tx, link.id), key=lambda line: line.at):
        (joined if line.kind in {"linked", "matched"} else first).setdefault(
            line.connection, line.at
        )
        if line.kind == "first contact":
            later.append(
                {"connection": line.connection, "field": line.field, "at": line.at.isoformat()}
            )
        if line.kind == "landed":
            landed.append(
                {
                    "connection": line.connection,
                    "field": line.field,
                    "value": line.detail.get("sent"),
                }
            )
    times = [first.get(name, joined.get(name)) for name in link.sides]
    whole = max((at for at in times if at is not None), default=datetime.min.replace(tzinfo=UTC))
    return {"met": whole.isoformat(), "met_later": later, "landed": landed}


def disputes(tx: Tx) -> Iterator[dict[str, Any]]:
    """Give a row for each recorded conflict, with every value that was in it."""
    sides = {
        link.id: {"connection": name, "entity": link.entity, "id": side.remote_id}
        for link in all_links(tx)
        for name, side in list(link.sides.items())[:1]
    }
    for row in conflict_log.export(tx):
        detail = row["detail"]
        values = [
            side.get(key)
            for side in (detail.get("mine"), detail.get("theirs"))
            if side
            for key in ("value", "raw")
        ]
        values += list((detail.get("candidates") or {}).values())
        values += [detail[key] for key in ("sent", "before", "value") if key in detail]
        yield {
            "kind": "conflict",
            "field": row["field"],
            "open": row["closed_at"] is None,
            "values": values,
            **sides.get(row["link_id"], {"connection": "", "entity": TICKET, "id": ""}),
        }
