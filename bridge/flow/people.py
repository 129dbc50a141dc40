"""The directory of agents: learning who is who from records, and listing strangers.

Once a stranger becomes known, the tickets that show them are read again.

mappings/agents.yaml comes first. What it leaves out is learned where a record shows a connection's
own name for somebody together with the e-mail address, which is how the other connections know the
same person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from bridge.connectors.contract import Person
from bridge.core.mapping.email_address import address_of
from bridge.core.mapping.fieldmap import FieldMap, without_directory
from bridge.core.merge.case import Rules
from bridge.core.model.limits import MAX_LEARNED
from bridge.core.model.state import Link, Note, Side
from bridge.core.model.values import Marker, Ref
from bridge.engine.context import Context
from bridge.ledger import directory, hints
from bridge.ledger.database import Tx
from bridge.ledger.directory import PeopleRevision

MET: Final = "met"
"""In the payload of work: somebody on the record has become known since it was read."""


def learn(
    tx: Tx, context: Context, connection: str, shown: Iterable[Person], now: datetime
) -> bool:
    """Take in the people whom a record shows.

    True when the ledger did not know all of them, or knew them otherwise. Of a great many new ones
    at once the rest is learned when they are shown again.

    They are known here at once, for the record is about to be read. Should the transaction come to
    nothing, `refresh` finds that they were not stored, and the next record that shows them is news
    again.
    """
    table = context.directory.get(connection)
    changed, new = False, 0
    for person in shown:
        email = _address(person)
        if new == MAX_LEARNED:
            break
        if table is not None and email and table.learn(email, person.id):
            new += 1
            changed |= directory.learn(tx, connection, str(person.id), email, person.name, now)
    return changed


def shows_news(context: Context, connection: str, shown: Iterable[Person]) -> bool:
    """Return whether a record shows somebody whom its connection's directory does not know so."""
    table = context.directory.get(connection)
    return table is not None and any(
        _address(person) and table.is_new(_address(person), person.id) for person in shown
    )


def _address(who: Person) -> str:
    """Return the address that a person is known by; empty when the record does not say."""
    address = address_of(who.email) if isinstance(who.id, str) else None
    return address if isinstance(address, str) else ""


def refresh(tx: Tx, context: Context, revision: PeopleRevision) -> None:
    """Take in whom other workers have learned of, and read the tickets again that show them.

    `revision`: the ledger's present one.
    """
    unsure = any(table.unstored for table in context.directory.values())
    if context.taken_in.get("people") == revision and not unsure:
        return
    stored = directory.people(tx)
    for name, table in context.directory.items():
        table.replace_learned(
            (email, raw) for connection, email, raw in stored if connection == name
        )
    _read_tickets_again(tx, context)
    context.taken_in["people"] = revision


def _read_tickets_again(tx: Tx, context: Context) -> None:
    """Queue an observe for the tickets of strangers who are known by now."""
    now = context.clock.now()
    for stranger in directory.strangers(tx):
        table, who = context.directory.get(stranger.connection), stranger.who
        if table is None or (table.email_of(who) is None and table.name_of(who) is None):
            continue
        waiting = directory.waiting_for(tx, stranger.connection, who)
        for link in context.load(tx, waiting).values():
            # A changed directory leaves no side a base before its next read, so all are read.
            for name, side in link.live().items():
                ref = Ref(name, link.entity, side.remote_id)
                hints.give(tx, ref, now, lane="reconcile", payload={MET: True})


def read_anew(context: Context, link: Link, side: Side) -> None:
    """Have a side's people read by the directory as it is now.

    What stood there for a stranger was never anybody's choice, so it is no base to compare with.
    """
    for name, field_map in context.maps[side.connection][link.entity].fields.items():
        if field_map.stranger is not None and name in side.fields:
            side.fields[name].map_rev = without_directory(side.fields[name].map_rev)


Strangers = list[tuple[str, str, str]]
"""Of a link: connection, field, and the name that the connection has for somebody."""


def strangers_to_note(
    context: Context, link: Link, notes: Iterable[Note], *, payload: Mapping[str, Any] | None
) -> Strangers | None:
    """Return the strangers of a link that was just looked at; None: their list stands as it is."""
    fields = fields_of_people(context.rules(context.syncs[link.sync]))
    if not fields:
        return None
    strangers = [
        (connection, name, who)
        for connection in sorted(link.live())
        for name in sorted(fields)
        if (who := _stranger(context, link, connection, name)) is not None
    ]
    # Without a stranger, a note or somebody who became known, the list stands as it is.
    became_known = bool((payload or {}).get(MET))
    noted = any(note.field in fields for note in notes)
    return strangers if strangers or became_known or noted else None


def note_strangers(
    tx: Tx,
    context: Context,
    link: Link,
    notes: Iterable[Note],
    now: datetime,
    *,
    payload: Mapping[str, Any] | None,
) -> None:
    """Keep the list of strangers true for a link that was just looked at."""
    strangers = strangers_to_note(context, link, notes, payload=payload)
    if strangers is not None:
        directory.store_strangers(tx, link.id, strangers, now)


def fields_of_people(rules: Rules) -> set[str]:
    """Return the fields of a sync that hold somebody."""
    return {
        name
        for entity_map in rules.maps.values()
        for name, field_map in entity_map.fields.items()
        if field_map.stranger is not None
    }


def _stranger(context: Context, link: Link, connection: str, name: str) -> str | None:
    """Return whom the side shows, or should be given, without anybody knowing who that is."""
    field_map = context.maps[connection][link.entity].fields.get(name)
    entry = link.sides[connection].fields.get(name)
    if field_map is None or field_map.stranger is None or entry is None:
        return None
    if entry.unreadable and entry.shown is not None and field_map.stranger(entry.shown):
        return str(entry.shown)
    if not isinstance(entry.shadow, Marker) and field_map.stranger(entry.shadow):
        return str(entry.shadow)
    return _nameless(context, link, connection, field_map)


def _nameless(context: Context, link: Link, connection: str, field_map: FieldMap) -> str | None:
    """Return whom the side should be given, if the connection has no name for them."""
    state, table = link.state.get(field_map.name), context.directory.get(connection)
    wanted = state.value if state is not None else None
    to = context.rules(context.syncs[link.sync]).policy(field_map.name).to
    if field_map.write_key is None or (to is not None and connection not in to):
        return None  # it is never written there
    if wanted is None or table is None or table.name_of(wanted) is not None:
        return None
    return str(wanted)
