"""People: who is who on each connection, learned from records, and strangers nobody knows yet."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from bridge.ledger.database import Tx, insert
from bridge.ledger.tables import person, unmapped


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody whom the directory does not know, with the number of tickets that wait for it."""

    connection: str
    who: str
    """The connection's own name for the person, or an e-mail address that has no name there."""
    field: str
    tickets: int
    since: datetime


def learn(tx: Tx, connection: str, remote_id: str, email: str, name: str, now: datetime) -> bool:
    """Store a person's e-mail address; False when exactly this was known already."""
    _, newest = revision(tx)
    if newest is not None and now <= newest:
        # Another machine's clock is ahead; `revision` must change all the same.
        now = newest + timedelta(microseconds=1)
    statement = insert(tx, person).values(
        connection=connection, remote_id=remote_id, email=email, name=name, seen_at=now
    )
    new = statement.excluded
    changes = {"email": new.email, "name": new.name, "seen_at": new.seen_at}
    upsert = statement.on_conflict_do_update(
        index_elements=["connection", "remote_id"],
        set_=changes,
        where=person.c.email != new.email,
    )
    return tx.execute(upsert.returning(person.c.remote_id)).first() is not None


PeopleRevision = tuple[int, datetime | None]
"""How many are known, and when the last of them was seen: it changes as somebody is learned."""

COUNT = select(func.count()).select_from(person)
NEWEST = select(func.max(person.c.seen_at))
_REVISION = select(COUNT.scalar_subquery(), NEWEST.scalar_subquery())


def revision(tx: Tx) -> PeopleRevision:
    """Return a value that changes whenever somebody is learned."""
    count, newest = tx.execute(_REVISION).one()
    return count, newest


def people(tx: Tx) -> list[tuple[str, str, str]]:
    """Return (connection, e-mail address, remote id) of everybody learned, oldest first."""
    order = (person.c.seen_at, person.c.connection, person.c.remote_id)
    ordered = select(person.c.connection, person.c.email, person.c.remote_id).order_by(*order)
    return [(row.connection, row.email, row.remote_id) for row in tx.execute(ordered)]


def addresses(tx: Tx, limit: int, *, after: str = "", text: str = "") -> list[str]:
    """Return so many e-mail addresses of people learned, in order, those behind one.

    `text`: a part of them.
    """
    found = select(person.c.email).distinct().where(person.c.email > after)
    if text:
        found = found.where(person.c.email.contains(text, autoescape=True))
    return list(tx.execute(found.order_by(person.c.email).limit(limit)).scalars())


def names_of(tx: Tx, emails: Collection[str]) -> list[tuple[str, str, str]]:
    """Return (connection, e-mail address, remote id) of these people, the oldest first."""
    order = (person.c.seen_at, person.c.connection, person.c.remote_id)
    shown = (person.c.connection, person.c.email, person.c.remote_id)
    rows = tx.execute(select(*shown).where(person.c.email.in_(emails)).order_by(*order))
    return [(row.connection, row.email, row.remote_id) for row in rows]


def store_strangers(
    tx: Tx, link_id: str, rows: Iterable[tuple[str, str, str]], now: datetime
) -> None:
    """Replace the strangers of a link, given as (connection, field, who)."""
    tx.execute(delete(unmapped).where(unmapped.c.link_id == link_id))
    values = [
        {"link_id": link_id, "connection": connection, "field": field, "who": who, "at": now}
        for connection, field, who in rows
    ]
    if values:
        tx.execute(unmapped.insert(), values)


def strangers(tx: Tx, within: int | None = None) -> list[Stranger]:
    """Return every stranger, those with the most tickets first.

    `within`: of so many rows of tickets alone, for whoever cannot wait for all of a large ledger.
    """
    rows_of = select(unmapped).limit(within).subquery() if within is not None else unmapped
    groups = (rows_of.c.connection, rows_of.c.who, rows_of.c.field)
    count = func.count().label("tickets")
    counted = select(*groups, count, func.min(rows_of.c.at).label("since")).group_by(*groups)
    rows = tx.execute(counted.order_by(count.desc(), *groups))
    return [Stranger(row.connection, row.who, row.field, row.tickets, row.since) for row in rows]


def links_with_strangers(tx: Tx) -> set[tuple[str, str]]:
    """Return (link id, field) of every field that shows a stranger."""
    return {
        (row.link_id, row.field) for row in tx.execute(select(unmapped.c.link_id, unmapped.c.field))
    }


def waiting_for(
    tx: Tx, connection: str, who: str, *, limit: int | None = None, after: str = ""
) -> list[str]:
    """Return the links that show this stranger, by id; `limit`: so many, those behind one."""
    showing = select(unmapped.c.link_id).where(
        unmapped.c.connection == connection, unmapped.c.who == who, unmapped.c.link_id > after
    )
    ordered = showing.distinct().order_by(unmapped.c.link_id).limit(limit)
    return list(tx.execute(ordered).scalars())
