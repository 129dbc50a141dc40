"""Erases one person's values from the ledger and keeps what is needed so that nothing is made twice.

Links, their refs and revisions of other fields stay. A personal field becomes what it was before
anything was read: never set, never seen. So it is written nowhere until it has been read again, and
a null is sent to nobody.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Table,
    Text,
    delete,
    func,
    or_,
    select,
    type_coerce,
    update,
)

from bridge.core.model.entities import ENTITIES
from bridge.core.model.state import Link
from bridge.core.model.values import Marker, Ref
from bridge.errors import Busy
from bridge.ledger import link_codec, links, value_codec
from bridge.ledger.database import Tx
from bridge.ledger.tables import (
    attempt,
    conflict,
    create_intent,
    inbox,
    journal,
    match_key,
    person,
    work,
)
from bridge.ledger.tables import link as link_table
from bridge.ledger.tables import side as side_table

ERASED: Mapping[str, Any] = {"erased": True}
WHO = ("customer", "email")
"""Fields whose value says to whom a record belongs."""
SHORTEST = 3
"""Shorter texts are in everything; they are no trace of anybody."""


@dataclass(slots=True)
class PersonalData:
    """What the ledger holds of a person."""

    links: list[str] = field(default_factory=list)
    entities: dict[str, int] = field(default_factory=dict)
    """Entity -> how many."""
    refs: list[Ref] = field(default_factory=list)
    """The person's records, where they still are."""
    elsewhere: list[str] = field(default_factory=list)
    """Links of others in whose texts the address is mentioned; they are not touched."""
    under_way: int = 0
    """Writes and creates about this person whose outcome is not known yet."""


def find(tx: Tx, email: str) -> PersonalData:
    """Find the links whose customer this is, and whatever belongs to them."""
    address = email.strip().casefold()
    near = links.load(tx, list(dict.fromkeys(_containing(tx, address))))
    ours = {link_id: link for link_id, link in near.items() if address in set(_addresses(link))}
    below = list(ours)
    while below:
        below = [child for each in below for child in links.children(tx, each) if child not in ours]
        ours |= links.load(tx, below)
    theirs = [
        link
        for link in near.values()
        if link.id not in ours and _stands(address, json.loads(link_codec.dumps(link)))
    ]
    found = PersonalData(links=sorted(ours), elsewhere=sorted(link.id for link in theirs))
    for link in ours.values():
        found.entities[link.entity] = found.entities.get(link.entity, 0) + 1
        found.refs += [Ref(name, link.entity, held.remote_id) for name, held in link.live().items()]
        found.under_way += len(link.intents) + sum(
            held.attempt is not None for held in link.sides.values()
        )
    return found


def erase(tx: Tx, email: str, now: datetime) -> dict[str, int]:
    """Erase a person's values everywhere in the ledger; gives how many rows of each kind were changed.

    Raises Busy while a write about the person is under way. Whoever works on one of the links loses
    the lease.
    """
    address = email.strip().casefold()
    found = find(tx, address)
    if found.under_way:
        what = f"{found.under_way} writes about this person are under way; wait for them (see `bridge status`)"
        raise Busy(f"{what}, then ask again. Nothing was erased")
    counts = {
        "links": 0,
        "sides": 0,
        "timeline": 0,
        "conflicts": 0,
        "writes": 0,
        "creates": 0,
        "webhooks": 0,
    }
    for link in links.load(tx, found.links).values():
        names = _personal(link.entity)
        own = set(_texts(link, names)) | {address}
        counts["links"] += 1
        counts["sides"] += _erase_link(tx, link, names, now)
        counts["timeline"] += _erase_rows(tx, journal, journal.c.link_id == link.id, names, own)
        counts["conflicts"] += _erase_rows(tx, conflict, conflict.c.link_id == link.id, names, own)
        counts["writes"] += _erase_attempts(tx, link.id, names)
        counts["creates"] += tx.execute(
            update(create_intent)
            .where(create_intent.c.link_id == link.id)
            .values(draft=dict(ERASED))
        ).rowcount
        _close_conflicts(tx, link.id, names, now)
        # The hashes of the person's keys go, too: whoever knows the address could try them.
        tx.execute(delete(match_key).where(match_key.c.link_id == link.id))
    for table, kind in ((journal, "timeline"), (conflict, "conflicts")):
        counts[kind] += _erase_rows(tx, table, _holds(table.c.detail, address), (), (), address)
    counts["webhooks"] = _erase_inbox(tx, found, address)
    _erase_work(tx, found, address)
    tx.execute(delete(person).where(func.lower(person.c.email) == address))
    return counts


def _personal(entity: str) -> tuple[str, ...]:
    return tuple(name for name, known in ENTITIES[entity].items() if known.personal)


def _holds(column: Column[Any], text: str) -> ColumnElement[bool]:
    """Say that a column's text contains this, as JSON writes it and in any case of its letters."""
    written = value_codec.dumps(text)[1:-1].lower()
    return func.lower(type_coerce(column, Text)).contains(written, autoescape=True)


def _containing(tx: Tx, address: str) -> Iterator[str]:
    """Give the links in which the address stands anywhere."""
    yield from tx.execute(
        select(link_table.c.id).where(_holds(link_table.c.state, address))
    ).scalars()
    yield from tx.execute(
        select(side_table.c.link_id).where(_holds(side_table.c.fields, address)).distinct()
    ).scalars()
    drafts = select(create_intent.c.link_id).where(
        create_intent.c.closed_at.is_(None), _holds(create_intent.c.draft, address)
    )
    yield from tx.execute(drafts).scalars()


def _values(link: Link, names: Collection[str]) -> Iterator[Any]:
    """Give what the link and its sides have as these fields: agreed, waiting, shown or written."""
    for name in names:
        state = link.state.get(name)
        if state is not None:
            yield state.value
            yield from (state.candidates or {}).values()
        for held in link.sides.values():
            entry = held.fields.get(name)
            if entry is not None:
                yield None if isinstance(entry.shadow, Marker) else entry.shadow
                yield from entry.got or ()


def _addresses(link: Link) -> Iterator[str]:
    for value in _values(link, WHO):
        if isinstance(value, str):
            yield value.strip().casefold()


def _texts(link: Link, names: Collection[str]) -> Iterator[str]:
    for value in _values(link, names):
        if isinstance(value, str) and len(value.strip()) >= SHORTEST:
            yield value.strip().casefold()


def _erase_link(tx: Tx, link: Link, names: tuple[str, ...], now: datetime) -> int:
    for name in names:
        link.state.pop(name, None)
    # The fence moves on: a worker that has the old values in hand can no longer store them.
    kept = {
        "state": link_codec.state(link.state),
        "updated_at": now,
        "lease_owner": None,
        "lease_until": None,
    }
    tx.execute(
        update(link_table)
        .where(link_table.c.id == link.id)
        .values(**kept, fence=link_table.c.fence + 1)
    )
    rows = tx.execute(
        select(side_table.c.id, side_table.c.fields).where(side_table.c.link_id == link.id)
    ).all()
    for row in rows:
        shown = {name: value for name, value in row.fields.items() if name not in names}
        # With the version gone, too, the next read is taken in whole.
        values = {"fields": shown, "version": None, "suspect": None}
        tx.execute(update(side_table).where(side_table.c.id == row.id).values(**values))
    return len(rows)


def _erase_rows(
    tx: Tx,
    table: Table,
    which: ColumnElement[bool],
    names: Collection[str],
    texts: Collection[str],
    address: str = "",
) -> int:
    """Erase the details of a timeline or of conflicts: of personal fields, and wherever one of the texts stands."""
    found = tx.execute(select(table.c.id, table.c.field, table.c.detail).where(which)).all()
    ids = [
        row.id
        for row in found
        if row.detail != ERASED
        and (
            row.field in names
            or _mentions(row.detail, texts)
            or (address and _stands(address, row.detail))
        )
    ]
    changes: dict[str, Any] = {"detail": dict(ERASED)} | ({"why": ""} if "why" in table.c else {})
    for each in ids:
        tx.execute(update(table).where(table.c.id == each).values(**changes))
    return len(ids)


def _stands(address: str, value: Any) -> bool:
    """Say that this very address stands in a value, and not only as a part of a longer one."""
    told = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    other = r"[\w.+%-]"
    return (
        re.search(rf"(?<!{other}){re.escape(address)}(?![\w+%@-]|\.\w)", told.casefold())
        is not None
    )


def _mentions(value: Any, texts: Collection[str]) -> bool:
    told = json.dumps(value, default=str, ensure_ascii=False).casefold()
    return any(json.dumps(text, ensure_ascii=False)[1:-1] in told for text in texts)


def _close_conflicts(tx: Tx, link_id: str, names: Iterable[str], now: datetime) -> None:
    open_ = update(conflict).where(
        conflict.c.link_id == link_id,
        conflict.c.field.in_(list(names)),
        conflict.c.closed_at.is_(None),
    )
    tx.execute(open_.values(closed_at=now, resolution="erased"))


def _erase_attempts(tx: Tx, link_id: str, names: Collection[str]) -> int:
    rows = tx.execute(
        select(attempt.c.number, attempt.c.detail, attempt.c.closed_at).where(
            attempt.c.link_id == link_id
        )
    ).all()
    for row in rows:
        detail = dict(row.detail)
        for part in ("sent", "before", "values"):
            detail[part] = {
                name: value for name, value in detail.get(part, {}).items() if name not in names
            }
        detail["call"] = {}  # it goes by the system's own names, which do not say what is personal
        changes: dict[str, Any] = {"detail": detail, "remaining": {}, "read_back": None}
        if row.closed_at is None:
            changes["remaining"] = detail
        tx.execute(update(attempt).where(attempt.c.number == row.number).values(**changes))
    return len(rows)


def _erase_inbox(tx: Tx, found: PersonalData, address: str) -> int:
    """Erase what is kept of webhooks, quarantined ones of nobody known included; that they came stays."""
    changes: dict[str, Any] = {"projection": {}, "body": None}
    count = 0
    for ref in found.refs:
        of = (
            inbox.c.connection == ref.connection,
            inbox.c.entity == ref.entity,
            inbox.c.remote_id == ref.id,
        )
        count += tx.execute(update(inbox).where(*of).values(**changes)).rowcount
    plain = [
        func.lower(column).contains(address, autoescape=True)
        for column in (inbox.c.body, inbox.c.why)
    ]
    near = or_(*plain, _holds(inbox.c.body, address), _holds(inbox.c.projection, address))
    columns = (inbox.c.id, inbox.c.body, inbox.c.projection, inbox.c.why)
    for row in tx.execute(select(*columns).where(near)).all():
        if _stands(address, [row.body, row.projection, row.why]):
            said = "(erased)" if _stands(address, row.why) else row.why
            count += tx.execute(
                update(inbox).where(inbox.c.id == row.id).values(**changes, why=said)
            ).rowcount
    return count


def _erase_work(tx: Tx, found: PersonalData, address: str) -> None:
    """Take the person out of what is said of work that failed or is parked."""
    refs = {(ref.connection, ref.entity, ref.id) for ref in found.refs}
    rows = tx.execute(
        select(work).where(or_(work.c.last_error != "", work.c.parked_why != ""))
    ).all()
    for row in rows:
        own = row.link_id in found.links or (row.connection, row.entity, row.remote_id) in refs
        changes = {
            name: "(erased)"
            for name in ("last_error", "parked_why")
            if getattr(row, name) and (own or _stands(address, getattr(row, name)))
        }
        if changes:
            tx.execute(update(work).where(work.c.id == row.id).values(**changes))
