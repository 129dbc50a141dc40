"""Fills a populated ledger with all that its pages and endpoints show: as after months of use.

The rows that there are many of are made by the database from those of the links.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Integer, Table, cast, func, insert, literal, select, update

from bench.populating import add_history
from bridge.core.mapping.unknown_fields import FIELD
from bridge.core.model.outcome_codes import Code
from bridge.core.model.state import FieldState
from bridge.core.model.values import Marker
from bridge.core.model.vendor_call import VendorCall
from bridge.ledger import audit, conflict_log, link_codec, links, tables, vendor_calls
from bridge.ledger.database import Ledger, Tx
from bridge.operations import drafts, tokens, users
from bridge.operations.desk import Desk
from bridge.operations.permissions import Role
from bridge.runs.retention import MOST_CALLS

LEFT: Final = "left"
RIGHT: Final = "right"
EACH_RUN: Final = 200
"""Runs besides the one that has written to every ticket."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of each there is; the rest follows from the number of links."""

    events: int
    """Webhooks in the inbox, and at least as many entries of timelines."""
    parked: int = 2_000
    conflicts: int = 500
    unread: int = 2_000
    acts: int = 2_000
    drafts: int = 100


def furnish(ledger: Ledger, desk: Desk, sizes: Sizes) -> None:
    """Add to each of the tables; the desk's bridge has entered."""
    at = desk.now() - timedelta(hours=2)
    with ledger.read() as tx:
        count = tx.execute(select(func.count()).select_from(tables.link)).scalar_one()
        some = links.ids(tx, limit=max(sizes.conflicts, sizes.unread))
    for _ in range(max(1, sizes.events // (2 * count))):
        _add_entries(ledger, at)
    add_history(ledger, at)
    with ledger.transaction() as tx:
        run = _add_runs(tx, at)
        _add_run_objects(tx, run, at)
        _add_sightings(tx, run)
        _add_rare(tx, at)
        _add_parked(tx, sizes.parked, at)
        _add_calls(tx, some, at)
    _add_events(ledger, sizes.events, count, at)
    _add_conflicts(ledger, some[: sizes.conflicts], at)
    _add_unread(ledger, some[: sizes.unread], at)
    _add_people(desk, sizes)
    if ledger.url.get_backend_name() == "postgresql":
        with ledger.transaction() as tx:
            tx.exec_driver_sql("ANALYZE")


def _copy(tx: Tx, table: Table, values: Mapping[str, Any], *where: ColumnElement[bool]) -> None:
    """Insert a row for each record that fits; values are columns, or stand for themselves."""
    columns = {
        name: value if isinstance(value, ColumnElement) else literal(value, table.c[name].type)
        for name, value in values.items()
    }
    rows = select(*columns.values()).select_from(tables.side).where(*where)
    tx.execute(insert(table).from_select([*columns], rows))


_SIDE = tables.side.c
_NAMED: Final = {
    "connection": _SIDE.connection,
    "entity": _SIDE.entity,
    "remote_id": _SIDE.remote_id,
}


def _one_in(number: int) -> ColumnElement[bool]:
    return _SIDE.id % number == 0


def _add_entries(ledger: Ledger, at: datetime) -> None:
    entry = {
        "link_id": _SIDE.link_id,
        "at": at,
        "kind": "changed",
        "connection": _SIDE.connection,
        "field": "status",
        "detail": {"before": "open", "after": "pending"},
    }
    with ledger.transaction() as tx:
        _copy(tx, tables.journal, entry)


def _add_runs(tx: Tx, at: datetime) -> int:
    """Add runs that are over; return the last."""
    rows = [
        {
            "kind": ("poll", "full", "backfill")[number % 3],
            "connection": LEFT if number % 2 else RIGHT,
            "entity": "ticket",
            "due": at + timedelta(seconds=number),
            "started_at": at + timedelta(seconds=number),
            "progress_at": at + timedelta(seconds=number + 1),
            "finished_at": at + timedelta(seconds=number + 1),
            "seen": number,
            "hinted": 0,
            "error": "",
            "figures": {"pages": 1},
        }
        for number in range(EACH_RUN)
    ]
    tx.execute(insert(tables.run), rows)
    return int(tx.execute(select(func.max(tables.run.c.id))).scalar_one())


def _add_run_objects(tx: Tx, run: int, at: datetime) -> None:
    """Let the run have written to each ticket, made each tenth, and found each fiftieth."""
    sent = {"sent": {"subject": "After"}, "before": {"subject": "Before"}}
    call = {"values": {"subject": "After"}, "revs": {"subject": 1}, "call": {}}
    detail = {"id": "a", "verb": "patch", "version": None, "carried": [], "send_by": at}
    written = update(tables.attempt).values(run_id=run, detail=sent | call | detail)
    tx.execute(written)
    made = {
        "marker": literal("m-") + _SIDE.link_id,
        "link_id": _SIDE.link_id,
        "connection": _SIDE.connection,
        "entity": _SIDE.entity,
        "draft": {"sent": {"subject": "After"}},
        "send_by": at,
        "opened_at": at,
        "closed_at": at,
        "outcome": "created",
        "remote_id": _SIDE.remote_id,
        "run_id": run,
    }
    _copy(tx, tables.create_intent, made, _SIDE.connection == RIGHT, _one_in(10))
    found = _NAMED | {
        "run_id": run,
        "kind": "changed",
        "fields": ["status"],
        "why": "no webhook told of it",
        "found_at": at,
    }
    _copy(tx, tables.drift, found | {"healed_at": at}, _one_in(50))
    _copy(tx, tables.drift, found, _one_in(51))


def _add_sightings(tx: Tx, run: int) -> None:
    seen = {"side_id": _SIDE.id, "digest": "d" * 40, "fence": 0, "day": 1, "seen_run": run}
    _copy(tx, tables.sighting, seen)


def _add_rare(tx: Tx, at: datetime) -> None:
    """Add what few tickets have: closed conflicts, strangers; and people, and unknown fields."""
    closed = {
        "link_id": _SIDE.link_id,
        "field": "status",
        "kind": "settled",
        "connection": _SIDE.connection,
        "opened_at": at,
        "closed_at": at,
        "why": "latest",
        "detail": {},
        "resolution": "policy",
    }
    _copy(tx, tables.conflict, closed, _one_in(7))
    number = cast(_SIDE.id % 500, tables.unmapped.c.who.type)
    stranger = {
        "link_id": _SIDE.link_id,
        "connection": _SIDE.connection,
        "field": "assignee",
        "who": literal("somebody-") + number,
        "at": at,
    }
    _copy(tx, tables.unmapped, stranger, _one_in(20))
    known = {
        "connection": _SIDE.connection,
        "remote_id": literal("p-") + _SIDE.remote_id,
        "email": literal("person-") + _SIDE.remote_id + literal("@example.com"),
        "name": "A person",
        "seen_at": at,
    }
    _copy(tx, tables.person, known, _one_in(10))
    unknown = [
        {
            "connection": connection,
            "entity": "ticket",
            "kind": FIELD,
            "field": f"custom_{each}",
            "value": "",
            "seen": each,
            "first_seen": at,
            "last_seen": at,
            "shape": {"kinds": ["text"], "longest": 10, "words": [], "open": True},
        }
        for connection in (LEFT, RIGHT)
        for each in range(200)
    ]
    tx.execute(insert(tables.unknown_part), unknown)


def _add_calls(tx: Tx, ids: list[str], at: datetime) -> None:
    """Add as many calls as are kept of a connection, of this one and others, about some tickets."""
    names = (LEFT, RIGHT, "a-third", "a-fourth", "a-fifth")
    calls = [
        VendorCall(
            *(at, names[each % 5], "observe", "GET", f"/tickets/{each}"),
            *(200 if each % 9 else 404, each % 90, 0, 600, "" if each % 9 else "BRG-GONE"),
            link_id=ids[each % len(ids)],
        )
        for each in range(MOST_CALLS)
    ]
    vendor_calls.add_all(tx, calls)


def _add_parked(tx: Tx, count: int, at: datetime) -> None:
    newest = select(func.max(_SIDE.id)).scalar_subquery()
    parked = _NAMED | {
        "key": literal("deliver:") + _SIDE.connection + literal(":") + _SIDE.link_id,
        "kind": "deliver",
        "link_id": _SIDE.link_id,
        "lane": 1,
        "due_at": at,
        "attempts": 1,
        "last_error": "",
        "parked_at": at,
        "parked_since": at,
        "parked_why": "the vendor refused it: priority is no field",
        "parked_cause": "Refused",
        "generation": 1,
        "created_at": at,
    }
    _copy(tx, tables.work, parked, _SIDE.id > newest - count)


def _add_events(ledger: Ledger, count: int, per_round: int, at: datetime) -> None:
    """Add webhooks about all tickets in turn, so many in all."""
    for number in range(0, count, per_round):
        event = {
            "connection": LEFT,
            "delivery_key": literal(f"{number}-") + _SIDE.remote_id,
            "received_at": at + timedelta(seconds=number // per_round),
            "deliveries": 1,
            "headers": {"content-type": "application/json"},
            "projection": {"event": "ticket.updated"},
            "digest": "d" * 64,
            "event": "ticket.updated",
            "entity": _SIDE.entity,
            "remote_id": _SIDE.remote_id,
            "verdict": "applied",
            "why": "",
            "settled_at": at,
        }
        first = select(func.min(_SIDE.id)).where(_SIDE.connection == LEFT).scalar_subquery()
        few = cast(_SIDE.id - first, Integer) < 2 * (count - number)
        with ledger.transaction() as tx:
            _copy(tx, tables.inbox, event, _SIDE.connection == LEFT, few)


def _add_conflicts(ledger: Ledger, ids: list[str], at: datetime) -> None:
    with ledger.transaction() as tx:
        for link in links.load(tx, ids).values():
            state = link.state.setdefault("subject", FieldState())
            state.candidates = {LEFT: "Left's words", RIGHT: "Right's words"}
            state.why_open = "both were edited"
            tx.execute(
                update(tables.link)
                .where(tables.link.c.id == link.id)
                .values(state=link_codec.state(link.state))
            )
            conflict_log.record(tx, link, [], at)


def _add_unread(ledger: Ledger, ids: list[str], at: datetime) -> None:
    """Let records show values of `status` that no mapping reads, twenty in all."""
    with ledger.transaction() as tx:
        for number, link in enumerate(links.load(tx, ids).values()):
            side = link.sides[LEFT]
            entry = side.fields["status"]
            entry.unreadable, entry.unreadable_code = "no reading", Code.READ_VALUE
            entry.shown, entry.seen_at = f"odd-{number % 20}", at
            entry.shadow = Marker.NO_BASE
            tx.execute(
                update(tables.side)
                .where(_SIDE.id == int(side.id))
                .values(fields=link_codec.side_fields(side.fields), unread=True)
            )


def _add_people(desk: Desk, sizes: Sizes) -> None:
    with desk.ledger.transaction() as tx:
        for number in range(sizes.acts):
            audit.add(
                tx,
                actor="local:me",
                action="parked retry",
                subject=f"{number}",
                at=desk.now(),
            )
    for number in range(20):
        users.add(desk, f"user-{number}", Role.VIEWER)
        tokens.create(desk, f"token-{number}", Role.VIEWER)
    for number in range(sizes.drafts):
        drafts.begin(desk, {"agents.yaml": f"agents: []\n# {number}\n"})
