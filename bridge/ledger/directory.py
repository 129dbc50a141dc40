"""The people of each connection, as its records showed them, and those whom nobody knows yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from bridge.ledger.database import Tx, insert
from bridge.ledger.tables import person, unmapped


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody who has no row in the directory, and how many tickets wait for one."""

    connection: str
    who: str
    """The connection's own name for the person, or an e-mail address that has no name there."""
    field: str
    tickets: int
    since: datetime


def learn(tx: Tx, connection: str, remote_id: str, email: str, name: str, now: datetime) -> bool:
    """Keep who is who; another address of the same remote id is replaced. False when all was known so."""
    _, last = revision(tx)
    if (
        last is not None and now <= last
    ):  # another machine's clock is ahead: `revision` must move on all the same
        now = last + timedelta(microseconds=1)
    statement = insert(tx, person).values(
        connection=connection, remote_id=remote_id, email=email, name=name, seen_at=now
    )
    new = statement.excluded
    changes = {"email": new.email, "name": new.name, "seen_at": new.seen_at}
    same = ["connection", "remote_id"]
    other = statement.on_conflict_do_update(
        index_elements=same, set_=changes, where=person.c.email != new.email
    )
    return tx.execute(other.returning(person.c.remote_id)).first() is not None


_REVISION = select(func.count(), func.max(person.c.seen_at)).select_from(person)


def revision(tx: Tx) -> tuple[int, datetime | None]:
    """Give what changes whenever somebody is learned."""
    count, last = tx.execute(_REVISION).one()
    return count, last


def people(tx: Tx) -> list[tuple[str, str, str]]:
    """Give (connection, e-mail address, remote id) of everybody that was learned, the oldest first."""
    order = (person.c.seen_at, person.c.connection, person.c.remote_id)
    found = select(person.c.connection, person.c.email, person.c.remote_id).order_by(*order)
    return [(row.connection, row.email, row.remote_id) for row in tx.execute(found)]


def store_strangers(
    tx: Tx, link_id: str, rows: Iterable[tuple[str, str, str]], now: datetime
) -> None:
    """Replace what is on record of the strangers on a link: (connection, field, who)."""
    tx.execute(delete(unmapped).where(unmapped.c.link_id == link_id))
    found = [
        {"link_id": link_id, "connection": connection, "field": field, "who": who, "at": now}
        for connection, field, who in rows
    ]
    if found:
        tx.execute(unmapped.insert(), found)


def strangers(tx: Tx) -> list[Stranger]:
    """Give the worklist: everybody without a row, those with the most tickets first."""
    groups = (unmapped.c.connection, unmapped.c.who, unmapped.c.field)
    count = func.count().label("tickets")
    found = select(*groups, count, func.min(unmapped.c.at).label("since")).group_by(*groups)
    rows = tx.execute(found.order_by(count.desc(), *groups))
    return [Stranger(row.connection, row.who, row.field, row.tickets, row.since) for row in rows]


def links_with_strangers(tx: Tx) -> set[tuple[str, str]]:
    """Give the links, and their fields, on which there is somebody without a name elsewhere."""
    return {
        (row.link_id, row.field) for row in tx.execute(select(unmapped.c.link_id, unmapped.c.field))
    }


def waiting_for(tx: Tx, connection: str, who: str) -> list[str]:
    """Give the links that wait for this person to be known."""
    found = select(unmapped.c.link_id).where(
        unmapped.c.connection == connection, unmapped.c.who == who
    )
    return list(tx.execute(found.distinct().order_by(unmapped.c.link_id)).scalars())
