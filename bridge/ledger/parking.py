"""Parked work: list it, group it by cause, free it or discard it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, delete, func, or_, select, update

from bridge.core.model.lanes import LANES
from bridge.core.model.outcome_codes import CAUSES, Code, causes_of, code_named, of_cause
from bridge.core.model.values import Ref
from bridge.ledger import hints, probes
from bridge.ledger.database import Tx, insert, one_of
from bridge.ledger.tables import side, work
from bridge.ledger.work_kinds import RUN_KINDS

SAMPLES = 5
"""Rows of a group that are shown as examples."""
WITHHELD = "Withheld"
"""Cause of work that is parked because the system keeps the record from us."""
CREATION_BUDGET = "creation budget"
"""Cause of creates that are set aside because an import has made all that it may: no trouble."""


@dataclass(frozen=True, slots=True)
class Parked:
    """A parked row of work."""

    id: int
    kind: str
    key: str
    connection: str
    entity: str
    remote_id: str | None
    link_id: str | None
    attempts: int
    at: datetime
    """When it was set aside last."""
    since: datetime
    """When it was set aside first, however often it was tried since."""
    why: str
    cause: str
    field: str = ""
    """The field that it is about; empty: more than one."""
    learned: str = ""
    """The finding that its refusal has left behind, of which it tells for all tickets."""

    @property
    def code(self) -> Code:
        """The outcome code of the cause."""
        return of_cause(self.cause)

    @property
    def subject(self) -> str:
        """The subject of the work in an operator's words: a record, else the link."""
        if self.remote_id is not None:
            return f"{self.connection}:{self.remote_id}"
        return self.link_id or self.key


@dataclass(frozen=True, slots=True)
class ParkedGroup:
    """All parked rows of one connection with one outcome code."""

    code: Code
    connection: str
    count: int
    oldest: datetime
    newest: datetime
    samples: list[Parked] = field(default_factory=list)
    """The newest of them."""


def parked(
    tx: Tx,
    limit: int = 200,
    *,
    cause: str | None = None,
    code: Code | None = None,
    connection: str | None = None,
    link_id: str | None = None,
    after: tuple[datetime, int] | None = None,
) -> list[Parked]:
    """Return parked rows, newest first; those `after` one that was set aside then, by its id."""
    newest = (
        select(work)
        .where(work.c.parked_at.is_not(None))
        .order_by(work.c.parked_at.desc(), work.c.id)
        .limit(limit)
    )
    if cause is not None:
        newest = newest.where(work.c.parked_cause == cause)
    if code is not None:
        newest = newest.where(has_code(code))
    if connection is not None:
        newest = newest.where(work.c.connection == connection)
    if link_id is not None:
        newest = newest.where(work.c.link_id == link_id)
    if after is not None:
        at, row_id = after
        same = and_(work.c.parked_at == at, work.c.id > row_id)
        newest = newest.where(or_(work.c.parked_at < at, same))
    return [
        Parked(
            id=row.id,
            kind=row.kind,
            key=row.key,
            connection=row.connection,
            entity=row.entity,
            remote_id=row.remote_id,
            link_id=row.link_id,
            attempts=row.attempts,
            at=row.parked_at,
            since=row.parked_since or row.parked_at,
            why=row.parked_why,
            cause=row.parked_cause,
            field=(row.payload or {}).get("field", ""),
            learned=(row.payload or {}).get(LEARNED, ""),
        )
        for row in tx.execute(newest)
    ]


def with_parked(tx: Tx, link_ids: Collection[str]) -> set[str]:
    """Return those of the links of which work is parked."""
    parked_of = select(work.c.link_id).where(
        work.c.link_id.in_(list(link_ids)), work.c.parked_at.is_not(None)
    )
    return {link_id for link_id in tx.execute(parked_of).scalars() if link_id is not None}


def groups(tx: Tx, samples: int = SAMPLES) -> list[ParkedGroup]:
    """Group the parked rows by outcome code and connection, the largest group first."""
    since = func.coalesce(work.c.parked_since, work.c.parked_at)
    by = (work.c.parked_cause, work.c.connection)
    counted = select(*by, func.count(), func.min(since), func.max(work.c.parked_at))
    found: dict[tuple[Code, str], ParkedGroup] = {}
    for cause, name, count, oldest, newest in tx.execute(
        counted.where(work.c.parked_at.is_not(None)).group_by(*by)
    ).all():
        key = (of_cause(cause), name)
        same = found.get(key) or ParkedGroup(*key, 0, oldest, newest)
        found[key] = ParkedGroup(
            *key, same.count + count, min(same.oldest, oldest), max(same.newest, newest)
        )
    return [
        replace(group, samples=parked(tx, samples, code=group.code, connection=group.connection))
        for group in sorted(
            found.values(), key=lambda group: (-group.count, group.code, group.connection)
        )
    ]


def has_code(code: Code) -> ColumnElement[bool]:
    """Return the condition that a row's cause has this code."""
    listed = work.c.parked_cause.in_(causes_of(code))
    return or_(listed, work.c.parked_cause.not_in(CAUSES)) if code is Code.OTHER else listed


def find_ids(
    tx: Tx, names: Collection[str], connections: Collection[str] = ()
) -> tuple[list[int], list[str]]:
    """Return the parked rows with these names, and the names without any.

    `connections`: only rows of these; none: of whichever.
    A name is a row's number, a key of work, an outcome code, or a cause as the ledger keeps it.
    """
    ids: set[int] = set()
    unknown = []
    for name in names:
        named = [work.c.key == name, work.c.parked_cause == name]
        if (code := code_named(name)) is not None:
            named.append(has_code(code))
        if name.isdecimal() and len(name) < 18:  # longer numbers do not fit an INTEGER
            named.append(work.c.id == int(name))
        parked_ids = select(work.c.id).where(
            work.c.parked_at.is_not(None), or_(*named), *_of(connections)
        )
        matching = tx.execute(parked_ids).scalars().all()
        ids.update(matching)
        if not matching:
            unknown.append(name)
    return sorted(ids), unknown


def records(tx: Tx, ids: Collection[int]) -> list[Ref]:
    """Return the records that these parked rows are about, as far as they are about one."""
    rows = select(work.c.connection, work.c.entity, work.c.remote_id).where(
        work.c.id.in_(ids), work.c.parked_at.is_not(None), work.c.remote_id.is_not(None)
    )
    return [Ref(*row) for row in tx.execute(rows)]


def all_ids(tx: Tx, connections: Collection[str] = ()) -> list[int]:
    """Return the ids of all parked rows; of these connections, where any are named."""
    ids = select(work.c.id).where(work.c.parked_at.is_not(None), *_of(connections))
    return list(tx.execute(ids.order_by(work.c.id)).scalars())


def _of(connections: Collection[str]) -> list[ColumnElement[bool]]:
    return [work.c.connection.in_(connections)] if connections else []


def set_aside(
    tx: Tx,
    *,
    kind: str,
    key: str,
    connection: str,
    entity: str,
    link_id: str,
    payload: dict[str, Any],
    why: str,
    cause: str,
    now: datetime,
) -> None:
    """Store a new row as parked; an existing row of this key takes the newer reason."""
    reason = {
        "payload": payload,
        "parked_at": now,
        "parked_since": func.coalesce(work.c.parked_since, now),
        "parked_why": why,
        "parked_cause": cause,
        "last_error": why,
    }
    values: dict[str, Any] = {
        "kind": kind,
        "key": key,
        "connection": connection,
        "entity": entity,
        "link_id": link_id,
    }
    values |= {"lane": LANES.index("retry"), "due_at": now, "created_at": now}
    statement = insert(tx, work).values(**values, **(reason | {"parked_since": now}))
    tx.execute(
        statement.on_conflict_do_update(
            index_elements=["key"], set_=reason, where=work.c.claimed_by.is_(None)
        )
    )


def of_link(tx: Tx, link_id: str) -> list[tuple[int, str, str]]:
    """Return (id, key, connection) of a link's parked rows."""
    return [tuple(row) for row in tx.execute(_OF_LINK, {"of": link_id})]


def of_fields(tx: Tx, link_id: str, connection: str) -> list[tuple[int, dict[str, Any]]]:
    """Return (id, payload) of a side's parked rows that are about one field each."""
    rows = tx.execute(_OF_SIDE, {"of": link_id, "there": connection})
    return [(row.id, row.payload) for row in rows if row.payload and "field" in row.payload]


_OF_LINK = select(work.c.id, work.c.key, work.c.connection).where(
    work.c.link_id == bindparam("of"), work.c.parked_at.is_not(None)
)
_OF_SIDE = select(work.c.id, work.c.payload).where(
    work.c.link_id == bindparam("of"),
    work.c.connection == bindparam("there"),
    work.c.parked_at.is_not(None),
)


REFUSED = "refused"
"""Key of a parked create's payload: the fingerprint of what the vendor has refused."""

LEARNED = "learned"
"""Key of a parked field's payload: the finding that its refusal has left behind."""


_PAYLOAD = select(work.c.payload).where(
    work.c.key == bindparam("of"), work.c.parked_at.is_not(None)
)


def refused_create(tx: Tx, key: str) -> str | None:
    """Return the fingerprint of what was refused of a parked create; None: there is none."""
    payload = tx.execute(_PAYLOAD, {"of": key}).scalar()
    return payload.get(REFUSED) if isinstance(payload, dict) else None


def unpark(
    tx: Tx,
    now: datetime,
    *,
    ids: Collection[int] | None = None,
    connection: str | None = None,
    cause: str | None = None,
    code: Code | None = None,
    payload: dict[str, Any] | None = None,
    link_id: str | None = None,
) -> int:
    """Free parked rows (all, or those that fit), due now in the operator's lane; return how many.

    Their attempts are counted from zero. A row carries no values that would be sent: its work is
    planned anew from the present state. What a refusal has taught is forgotten with it, so that it
    is tried again.
    """
    selected: list[ColumnElement[bool]] = [work.c.parked_at.is_not(None)]
    if ids is not None:
        selected.append(work.c.id.in_(ids))
    if connection is not None:
        selected.append(work.c.connection == connection)
    if cause is not None:
        selected.append(work.c.parked_cause == cause)
    if code is not None:
        selected.append(has_code(code))
    if link_id is not None:
        selected.append(work.c.link_id == link_id)
    if not _unlearn(tx, selected):
        return 0
    concerned = select(work.c.link_id).where(*selected, work.c.link_id.is_not(None))
    tx.execute(
        update(side).where(side.c.in_vain > 0, side.c.link_id.in_(concerned)).values(in_vain=0)
    )
    values: dict[str, Any] = {
        "parked_at": None,
        "parked_why": "",
        "parked_cause": "",
        "attempts": 0,
        "due_at": now,
        "lane": LANES.index("operator"),
        "generation": work.c.generation + 1,
    }
    if payload is not None:
        values["payload"] = payload
    return tx.execute(update(work).where(*selected).values(values)).rowcount


def free_shown(tx: Tx, refs: Iterable[Ref], now: datetime) -> int:
    """Free the reading of records that were kept from us and are shown now; return how many."""
    if tx.execute(_ANY_WITHHELD).first() is None:
        return 0
    reading = [hints.key(ref) for ref in refs]
    ids = list(tx.execute(_withheld(tx.dialect.name), {"ids": reading}).scalars())
    return unpark(tx, now, ids=ids) if ids else 0


_IS_WITHHELD = (work.c.parked_cause == WITHHELD, work.c.parked_at.is_not(None))
_ANY_WITHHELD = select(work.c.id).where(*_IS_WITHHELD).limit(1)


@cache
def _withheld(dialect: str) -> Select[Any]:
    return select(work.c.id).where(one_of(dialect, work.c.key), *_IS_WITHHELD)


def free_runs(tx: Tx, now: datetime) -> int:
    """Free the runs' own work, which older versions parked; return how much it was."""
    rows = select(work.c.id).where(work.c.parked_at.is_not(None), work.c.kind.in_(RUN_KINDS))
    ids = list(tx.execute(rows).scalars())
    return unpark(tx, now, ids=ids) if ids else 0


def discard(tx: Tx, ids: Collection[int]) -> int:
    """Delete parked rows; return how many. What a refusal has taught is forgotten with them.

    Nothing else would tell of it: what is still to be done is tried again, and parked again.
    """
    if not ids:
        return 0
    selected = (work.c.id.in_(ids), work.c.parked_at.is_not(None))
    _unlearn(tx, selected)
    return tx.execute(delete(work).where(*selected)).rowcount


def told_of(tx: Tx, connection: str) -> set[str]:
    """Return the findings of which a connection's parked rows tell."""
    rows = select(work.c.payload).where(
        work.c.connection == connection, work.c.parked_at.is_not(None)
    )
    payloads = tx.execute(rows).scalars()
    return {payload[LEARNED] for payload in payloads if payload and LEARNED in payload}


def _unlearn(tx: Tx, selected: Iterable[ColumnElement[bool]]) -> int:
    """Forget what the refusals of these rows have taught; return how many rows these are."""
    rows = tx.execute(select(work.c.connection, work.c.payload).where(*selected)).all()
    for row in rows:
        if row.payload and LEARNED in row.payload:
            probes.take_back(tx, row.connection, row.payload[LEARNED])
    return len(rows)
