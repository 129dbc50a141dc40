"""Fills a ledger with linked tickets: a million of them in a few minutes.

A few tickets of every pattern are linked as an import links them, by the code of the flow. The rows
of all others are copies of theirs, with another number: the work is the database's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Table, delete, insert, literal, select

from bench.vendor import stamp, ticket
from bridge.connectors.contract import Record
from bridge.core.merge import observations
from bridge.core.merge.case import Rules
from bridge.core.model.state import Link, Side
from bridge.core.model.values import Ref
from bridge.engine.context import Context
from bridge.flow.readings import observation
from bridge.flow.replan import plans
from bridge.ledger import link_codec, tables
from bridge.ledger.database import Ledger, Tx

PATTERNS = 28
"""Tickets of the vendor's whose numbers differ by so much are alike, but for the number."""
FIRST = PATTERNS * 30_000_000
"""The number of the first pattern: no other text of a row looks like it."""
CHUNK = 10_000
MEMBERS = ("left", "right")

_Row = tuple[Any, ...]


def populate(context: Context, ledger: Ledger, count: int, at: datetime) -> None:
    """Link so many tickets on both sides, as an import would have left them."""
    rules = context.rules(context.syncs["tickets"])
    patterns = [_linked(number, at, rules, context) for number in range(FIRST, FIRST + PATTERNS)]
    if any(found.calls or found.create for found in plans(context, patterns[0]).values()):
        raise SystemExit("the tickets are not as an import leaves them")
    with ledger.transaction() as tx:
        tx.execute(insert(tables.link), [_link_row(link, at) for link in patterns])
        sides = [(link, side) for link in patterns for side in link.sides.values()]
        tx.execute(insert(tables.side), [_side_row(link, side, at) for link, side in sides])
        rows = {table: _rows_by_link(tx, table) for table in (tables.link, tables.side)}
        tx.execute(delete(tables.side))
        tx.execute(delete(tables.link))
    for begin in range(0, count, CHUNK):
        numbers = range(begin, min(begin + CHUNK, count))
        with ledger.transaction() as tx:
            for table, of in rows.items():
                copies = [row for number in numbers for row in _copies(of, number)]
                tx.exec_driver_sql(_insert(tx, table), copies)
    if ledger.url.get_backend_name() == "postgresql":
        with ledger.transaction() as tx:
            tx.exec_driver_sql("ANALYZE")  # the server does so by itself, a minute later


def add_history(ledger: Ledger, at: datetime) -> None:
    """Add what was done to each link since: a write, and two entries of its timeline."""
    journal, attempt, side = tables.journal, tables.attempt, tables.side
    words = {name: literal(name) for name in ("wrote", "right", "subject", "patch", "done")}
    written = side.c.connection == "right"
    with ledger.transaction() as tx:
        for _ in range(2):
            entry = select(
                side.c.link_id, literal(at, journal.c.at.type), words["wrote"], words["right"],
                words["subject"], literal({}, journal.c.detail.type),
            ).where(written)  # fmt: skip
            names = ["link_id", "at", "kind", "connection", "field", "detail"]
            tx.execute(insert(journal).from_select(names, entry))
        shown = {
            "id": literal("a-") + side.c.link_id,
            "link_id": side.c.link_id,
            "side_id": side.c.id,
            "connection": side.c.connection,
            "verb": words["patch"],
            "detail": literal({}, attempt.c.detail.type),
            "remaining": literal([], attempt.c.remaining.type),
            "send_by": literal(at, attempt.c.send_by.type),
            "destructive": literal(0),
            "opened_at": literal(at, attempt.c.opened_at.type),
            "closed_at": literal(at, attempt.c.closed_at.type),
            "outcome": words["done"],
        }
        tx.execute(insert(attempt).from_select([*shown], select(*shown.values()).where(written)))


def _rows_by_link(tx: Tx, table: Table) -> list[list[_Row]]:
    """Give the rows of each pattern as the driver has them, their numbers marked."""
    key = "id" if table is tables.link else "link_id"
    found = tx.exec_driver_sql(f"SELECT {key}, {_columns(table)} FROM {table.name}").all()  # noqa: S608 - names of ours
    of: list[list[_Row]] = [[] for _ in range(PATTERNS)]
    for link_id, *row in found:
        number = int(link_id, 16)
        of[number - FIRST].append(tuple(_marked(value, number) for value in row))
    return of


def _marked(value: Any, number: int) -> Any:
    if not isinstance(value, str):
        return value
    for text, mark in zip(_texts(number), _MARKS, strict=True):
        value = value.replace(text, mark)
    return value


_MARKS = ("\x01", "\x02", "\x03")


def _texts(number: int) -> tuple[str, str, str]:
    """Give how a ticket's number shows in its rows: id of the link, number, time."""
    return _link_id(number), str(number), stamp(number).removesuffix("Z")


def _copies(of: list[list[_Row]], number: int) -> Iterator[_Row]:
    link_id, name, at = _texts(number)
    one, two, three = _MARKS
    for row in of[number % PATTERNS]:
        yield tuple(
            value.replace(one, link_id).replace(two, name).replace(three, at)
            if isinstance(value, str)
            else value
            for value in row
        )


def _columns(table: Table) -> str:
    serial = "id" if table is tables.side else ""
    return ", ".join(column.name for column in table.columns if column.name != serial)


def _insert(tx: Tx, table: Table) -> str:
    names = _columns(table)
    mark = "?" if tx.dialect.name == "sqlite" else "%s"
    marks = ", ".join([mark] * (names.count(",") + 1))
    return f"INSERT INTO {table.name} ({names}) VALUES ({marks})"  # noqa: S608 - names of ours


def _link_id(number: int) -> str:
    return f"{number:032x}"


def _linked(number: int, at: datetime, rules: Rules, context: Context) -> Link:
    row = ticket(number)
    remote_id = str(row["id"])
    sides = {name: Side(name, remote_id) for name in MEMBERS}
    link = Link(_link_id(number), "tickets", "ticket", sides=sides)
    for name in MEMBERS:
        record = Record(Ref(name, "ticket", remote_id), row, at, changed_before=at)
        observations.absorb(link, observation(record, context.maps[name]["ticket"]), rules)
    return link


def _link_row(link: Link, now: datetime) -> dict:
    return {
        "id": link.id,
        "sync": link.sync,
        "entity": link.entity,
        "state": link_codec.state(link.state),
        "paused": False,
        "parent_id": None,
        "created_at": now,
        "updated_at": now,
    }


def _side_row(link: Link, side: Side, now: datetime) -> dict:
    return {
        "link_id": link.id,
        "connection": side.connection,
        "entity": link.entity,
        "remote_id": side.remote_id,
        "fields": link_codec.side_fields(side.fields),
        "version": side.version,
        "read_at": side.read_at,
        "tombstone": False,
        "in_scope": True,
        "created_at": now,
    }
