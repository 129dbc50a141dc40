"""Erases one person's values from the ledger, but keeps what prevents making records twice.

Links, their refs and the other fields stay. A personal field becomes what it was before anything
was read: never set, never seen. So it is written nowhere until it has been read again, and no
system is sent a null.
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

from bridge.core.model.counting import counted
from bridge.core.model.entities import Field, FieldTable
from bridge.core.model.notice_types import NoticeType
from bridge.core.model.state import Link, Side
from bridge.core.model.values import Marker, Ref
from bridge.errors import Busy
from bridge.ledger import (
    kept_answers,
    link_codec,
    links,
    notice_outbox,
    surveys,
    value_codec,
    vendor_calls,
)
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
"""The fields that say to whom a record belongs."""
MIN_TEXT_LENGTH = 3
"""Shorter texts occur everywhere and identify nobody."""


@dataclass(slots=True)
class PersonalData:
    """The data that the ledger holds of a person."""

    links: list[str] = field(default_factory=list)
    entities: dict[str, int] = field(default_factory=dict)
    """Number of links by entity."""
    refs: list[Ref] = field(default_factory=list)
    """The person's records that still exist."""
    elsewhere: list[str] = field(default_factory=list)
    """Links of other people whose texts mention the address; they are not changed."""
    under_way: int = 0
    """Writes and creates about the person whose outcome is not known yet."""


def find(tx: Tx, email: str) -> PersonalData:
    """Find the links whose customer the person is, with all that belongs to them."""
    address = email.strip().casefold()
    containing = links.load(tx, list(dict.fromkeys(_containing(tx, address))))
    own = {
        link_id: link for link_id, link in containing.items() if address in set(_addresses(link))
    }
    own |= _descendants(tx, own)
    mentions = [
        link.id
        for link in containing.values()
        if link.id not in own and _mentions_address(address, json.loads(link_codec.dumps(link)))
    ]
    data = PersonalData(links=sorted(own), elsewhere=sorted(mentions))
    for link in own.values():
        data.entities[link.entity] = data.entities.get(link.entity, 0) + 1
        data.refs += [Ref(name, link.entity, side.remote_id) for name, side in link.live().items()]
        open_attempts = sum(side.attempt is not None for side in link.sides.values())
        data.under_way += len(link.intents) + open_attempts
    return data


def _descendants(tx: Tx, parents: Mapping[str, Link]) -> dict[str, Link]:
    """Return the links of all that belongs to these, down to the last level."""
    descendants: dict[str, Link] = {}
    level = list(parents)
    while level:
        children = [child for parent in level for child in links.children(tx, parent)]
        level = [child for child in children if child not in parents and child not in descendants]
        descendants |= links.load(tx, level)
    return descendants


def erase(tx: Tx, email: str, now: datetime, fields: FieldTable) -> dict[str, int]:
    """Erase a person's values everywhere in the ledger; return the number of rows by kind.

    `fields` says which are personal; one that no file declares any more counts as personal. Raises
    Busy while a write about the person is under way. A worker that has the lease of one of the
    links loses it.
    """
    address = email.strip().casefold()
    data = find(tx, address)
    if data.under_way:
        raise Busy(
            f"{counted(data.under_way, 'write is', 'writes are')} under way about this person; "
            "wait for them (see `bridge status`), then ask again. Nothing was erased"
        )
    counts = {
        "links": 0,
        "sides": 0,
        "timeline": 0,
        "conflicts": 0,
        "writes": 0,
        "creates": 0,
        "webhooks": 0,
        "calls": 0,
    }
    for link in links.load(tx, data.links).values():
        names = _personal(link, fields[link.entity])
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
        # The hashes of the match keys go, too: whoever knows the address can compute them.
        tx.execute(delete(match_key).where(match_key.c.link_id == link.id))
    for table, kind in ((journal, "timeline"), (conflict, "conflicts")):
        counts[kind] += _erase_rows(tx, table, _holds(table.c.detail, address), (), (), address)
    counts["webhooks"] = _erase_inbox(tx, data, address)
    _erase_work(tx, data, address)
    _erase_confirmed(tx, data)
    tx.execute(delete(person).where(func.lower(person.c.email) == address))
    surveys.erase(tx)
    kept_answers.erase(tx)
    # A digest of a value that nobody can read stands there, and the value may be the person's.
    notice_outbox.untell(tx, NoticeType.VALUE)
    counts["calls"] = vendor_calls.erase(tx, data.links)
    return counts


def _personal(link: Link, known: Mapping[str, Field]) -> tuple[str, ...]:
    """Return the fields of which a link may hold personal values."""
    shown = (name for side in _all_sides(link) for name in side.fields)
    stored = dict.fromkeys((*known, *link.state, *shown))
    return tuple(name for name in stored if name not in known or known[name].personal)


def _all_sides(link: Link) -> Iterator[Side]:
    yield from link.sides.values()
    yield from link.retired.values()


def _holds(column: Column[Any], text: str) -> ColumnElement[bool]:
    """Return the condition that a column contains this text as JSON writes it, in any case."""
    written = value_codec.dumps(text)[1:-1].lower()
    return func.lower(type_coerce(column, Text)).contains(written, autoescape=True)


def _containing(tx: Tx, address: str) -> Iterator[str]:
    """Yield the links whose state, sides or open drafts contain the address."""
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
    """Yield every value of these fields: agreed, disputed, shown or written."""
    for name in names:
        state = link.state.get(name)
        if state is not None:
            yield state.value
            yield from (state.candidates or {}).values()
        for side in link.sides.values():
            shown = side.fields.get(name)
            if shown is not None:
                yield None if isinstance(shown.shadow, Marker) else shown.shadow
                yield from shown.remembered_answer or ()


def _addresses(link: Link) -> Iterator[str]:
    for value in _values(link, WHO):
        if isinstance(value, str):
            yield value.strip().casefold()


def _texts(link: Link, names: Collection[str]) -> Iterator[str]:
    for value in _values(link, names):
        if isinstance(value, str) and len(value.strip()) >= MIN_TEXT_LENGTH:
            yield value.strip().casefold()


def _erase_link(tx: Tx, link: Link, names: tuple[str, ...], now: datetime) -> int:
    for name in names:
        link.state.pop(name, None)
    # The fence is raised: a worker that still holds the old values can no longer store them.
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
        unread = link_codec.is_unread(link_codec.to_side_fields(shown))
        # Without the version, the next read is merged as a whole.
        values = {"fields": shown, "version": None, "suspect": None, "unread": unread}
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
    """Erase details of personal fields, and details that contain a text; return how many."""
    rows = tx.execute(select(table.c.id, table.c.field, table.c.detail).where(which)).all()

    def is_personal(row: Any) -> bool:
        if row.field in names or _contains_any(row.detail, texts):
            return True
        return bool(address) and _mentions_address(address, row.detail)

    ids = [row.id for row in rows if row.detail != ERASED and is_personal(row)]
    changes: dict[str, Any] = {"detail": dict(ERASED)} | ({"why": ""} if "why" in table.c else {})
    for row_id in ids:
        tx.execute(update(table).where(table.c.id == row_id).values(**changes))
    return len(ids)


def _mentions_address(address: str, value: Any) -> bool:
    """Return whether a value contains this very address, not only as a part of a longer one."""
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    before, after = r"(?<![\w.+%-])", r"(?![\w+%@-]|\.\w)"
    return re.search(f"{before}{re.escape(address)}{after}", text.casefold()) is not None


def _contains_any(value: Any, texts: Collection[str]) -> bool:
    encoded = json.dumps(value, default=str, ensure_ascii=False).casefold()
    return any(json.dumps(text, ensure_ascii=False)[1:-1] in encoded for text in texts)


def _close_conflicts(tx: Tx, link_id: str, names: Iterable[str], now: datetime) -> None:
    close = update(conflict).where(
        conflict.c.link_id == link_id,
        conflict.c.field.in_(list(names)),
        conflict.c.closed_at.is_(None),
    )
    tx.execute(close.values(closed_at=now, resolution="erased"))


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
        # The call uses the system's own names, which do not say what is personal.
        detail["call"] = {}
        changes: dict[str, Any] = {"detail": detail, "remaining": {}, "read_back": None}
        if row.closed_at is None:
            changes["remaining"] = detail
        tx.execute(update(attempt).where(attempt.c.number == row.number).values(**changes))
    return len(rows)


def _erase_inbox(tx: Tx, data: PersonalData, address: str) -> int:
    """Erase what is kept of the person's webhooks, quarantined ones included; the rows stay."""
    changes: dict[str, Any] = {"projection": {}, "body": None}
    count = 0
    for ref in data.refs:
        of_record = (
            inbox.c.connection == ref.connection,
            inbox.c.entity == ref.entity,
            inbox.c.remote_id == ref.id,
        )
        count += tx.execute(update(inbox).where(*of_record).values(**changes)).rowcount
    plain = [
        func.lower(column).contains(address, autoescape=True)
        for column in (inbox.c.body, inbox.c.why)
    ]
    candidates = or_(*plain, _holds(inbox.c.body, address), _holds(inbox.c.projection, address))
    columns = (inbox.c.id, inbox.c.body, inbox.c.projection, inbox.c.why)
    for row in tx.execute(select(*columns).where(candidates)).all():
        if _mentions_address(address, [row.body, row.projection, row.why]):
            why = "(erased)" if _mentions_address(address, row.why) else row.why
            erased = update(inbox).where(inbox.c.id == row.id).values(**changes, why=why)
            count += tx.execute(erased).rowcount
    return count


def _erase_work(tx: Tx, data: PersonalData, address: str) -> None:
    """Erase the person from the error messages of work that failed or is parked."""
    refs = {(ref.connection, ref.entity, ref.id) for ref in data.refs}
    rows = tx.execute(
        select(work).where(or_(work.c.last_error != "", work.c.parked_why != ""))
    ).all()
    for row in rows:
        own = row.link_id in data.links or (row.connection, row.entity, row.remote_id) in refs
        changes = {
            name: "(erased)"
            for name in ("last_error", "parked_why")
            if getattr(row, name) and (own or _mentions_address(address, getattr(row, name)))
        }
        if changes:
            tx.execute(update(work).where(work.c.id == row.id).values(**changes))


def _erase_confirmed(tx: Tx, data: PersonalData) -> None:
    """Erase what changed mappings were confirmed to write to the person's tickets, and was read.

    Nothing of that is written any more. Of values there are only digests, but whoever knows a value
    can compute them.
    """
    confirmed = select(work).where(work.c.kind == "deliver", work.c.run_id.is_not(None))
    for row in tx.execute(confirmed).all():
        if row.link_id in data.links and "confirmed" in (row.payload or {}):
            tx.execute(delete(work).where(work.c.id == row.id))
    for row in tx.execute(select(work).where(work.c.kind == "remap")).all():
        kept = {
            name: {key: value for key, value in row.payload[name].items() if key not in data.links}
            for name in ("links", "fresh")
        }
        if any(kept[name] != row.payload[name] for name in kept):
            # Whoever has it in hand knows the values still, and loses it.
            changes = {
                "payload": {**row.payload, **kept},
                "claimed_by": None,
                "claimed_until": None,
            }
            tx.execute(update(work).where(work.c.id == row.id).values(changes))
