"""The directory of agents at work: it learns from records, keeps a list of strangers, and goes back to their tickets.

mappings/agents.yaml comes first. What it leaves out is learned where a record shows a connection's
own name for somebody together with the e-mail address, which is how the other connections know the
same person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from bridge.connectors.contract import Person
from bridge.core.mapping.fieldmap import without_directory
from bridge.core.model.state import Link, Note, Side
from bridge.core.model.values import Marker, Ref
from bridge.engine.context import Context
from bridge.ledger import directory, hints, links
from bridge.ledger.database import Tx

MET: Final = "met"
"""In the payload of work: somebody on the record has become known since it was read."""


def learn(
    tx: Tx, context: Context, connection: str, found: Iterable[Person], now: datetime
) -> bool:
    """Take in the people whom a record shows; True when the ledger did not know all of them so.

    They are known here at once, for the record is about to be read. Should the transaction come to
    nothing, `refresh` finds that they were not stored, and the next record that shows them is news
    again.
    """
    table = context.directory.get(connection)
    told = False
    for each in found:
        email = _address(each)
        if table is not None and email and table.learn(email, each.id):
            told |= directory.learn(tx, connection, str(each.id), email, each.name, now)
    return told


def news(context: Context, connection: str, found: Iterable[Person]) -> bool:
    """Tell whether a record shows somebody whom its connection's directory does not know yet, or not so."""
    table = context.directory.get(connection)
    return table is not None and any(
        _address(each) and table.is_new(_address(each), each.id) for each in found
    )


def _address(who: Person) -> str:
    """Give what a person is known by; empty when the record does not say."""
    return who.email.strip().lower() if isinstance(who.id, str) else ""


def refresh(tx: Tx, context: Context) -> None:
    """Take in what other workers have learned, and go back to the tickets that waited for somebody to be known."""
    revision = directory.revision(tx)
    unsure = any(table.unstored for table in context.directory.values())
    if context.seen.get("people") == revision and not unsure:
        return
    stored = directory.people(tx)
    for name, table in context.directory.items():
        table.replace_learned(
            (email, raw) for connection, email, raw in stored if connection == name
        )
    _go_back(tx, context)
    context.seen["people"] = revision


def _go_back(tx: Tx, context: Context) -> None:
    now = context.clock.now()
    for each in directory.strangers(tx):
        table = context.directory.get(each.connection)
        if table is None or (table.email(each.who) is None and table.name(each.who) is None):
            continue
        waiting = directory.waiting_for(tx, each.connection, each.who)
        for link in links.load(tx, waiting).values():
            for (
                name,
                side,
            ) in (
                link.live().items()
            ):  # a changed directory leaves no side a base before its next read
                ref = Ref(name, link.entity, side.remote_id)
                hints.give(tx, ref, now, lane="reconcile", payload={MET: True})


def read_anew(context: Context, link: Link, side: Side) -> None:
    """Have a side's people read by the directory as it is now: what a stranger stood for is nobody's word."""
    for name, mapped in context.maps[side.connection][link.entity].fields.items():
        if mapped.stranger is not None and name in side.fields:
            side.fields[name].map_rev = without_directory(side.fields[name].map_rev)


def note(
    tx: Tx,
    context: Context,
    link: Link,
    notes: Iterable[Note],
    now: datetime,
    *,
    payload: Mapping[str, Any] | None,
) -> None:
    """Keep the list of strangers true for a link that was just looked at."""
    rules = context.rules(context.syncs[link.sync])
    fields = {
        name
        for mapped in rules.maps.values()
        for name, each in mapped.fields.items()
        if each.stranger is not None
    }
    if not fields:
        return
    found = {
        (connection, name): who
        for connection in link.live()
        for name in fields
        if (who := _stranger(context, link, connection, name)) is not None
    }
    if found or (payload or {}).get(MET) or any(each.field in fields for each in notes):
        rows = [(connection, name, who) for (connection, name), who in sorted(found.items())]
        directory.store_strangers(tx, link.id, rows, now)


def _stranger(context: Context, link: Link, connection: str, name: str) -> str | None:
    """Give whom the side shows, or should be given, without anybody knowing who that is."""
    mapped = context.maps[connection][link.entity].fields.get(name)
    entry, state = link.sides[connection].fields.get(name), link.state.get(name)
    if mapped is None or mapped.stranger is None or entry is None:
        return None
    if entry.unreadable and entry.shown is not None and mapped.stranger(entry.shown):
        return str(entry.shown)
    if not isinstance(entry.shadow, Marker) and mapped.stranger(entry.shadow):
        return str(entry.shadow)
    wanted, table = state.value if state is not None else None, context.directory.get(connection)
    to = context.rules(context.syncs[link.sync]).policy(name).to
    written = mapped.write_key is not None and (to is None or connection in to)
    nameless = wanted is not None and table is not None and table.name(wanted) is None
    return str(wanted) if nameless and written else None
