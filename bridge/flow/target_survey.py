"""The survey of a system in which an import makes records: what is there, listed once for all.

Before a record is made, what may be the same thing is searched for (`counterpart`), one or more
calls for each. An import lists the systems anyway. So the keys of all rows are kept, and what was
made since is listed again and again; while that is fresh, a record whose keys no row has needs no
search. Whatever is in doubt is searched for, as ever: a row that shows too little, a listing that
lacks what the ledger knows, or that has not ended, or is too old.

A survey is fresh for as long as a create may take to be sent, and not a moment more. What somebody
makes there in that time is not noticed, just as what is made between a search and the create.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.connectors import left_out
from bridge.connectors.contract import Connector, Record
from bridge.core.mapping.fieldmap import EntityMap
from bridge.core.merge.identity import MOMENT
from bridge.core.model.syncs import Sync
from bridge.core.model.values import Canonical, Unreadable
from bridge.engine.context import Context, Task
from bridge.engine.effects import Procedure, call_vendor, transact
from bridge.flow.match import life_of
from bridge.flow.match_keys import match_keys, window
from bridge.ledger import surveys, work
from bridge.ledger.database import Tx
from bridge.ledger.matching import Key
from bridge.ledger.surveys import NO_RULE, UNKNOWN, Sought, SurveyedKey, SurveyState, WantedKey

KIND = "survey"
"""Kind of the work that lists what was made since."""
LANE = "backfill"
"""Only an import makes so many records that a survey is worth its calls."""
MAX_GAP = timedelta(minutes=10)
"""A survey that was left alone for longer ends: what has changed there since would be missed."""


def surveyed(context: Context, connection: str, entity: str) -> Sync | None:
    """Return the sync for which a connection is surveyed; None: it is not."""
    sync, can = context.sync_of(connection, entity), context.capabilities[connection][entity]
    if sync is None or not sync.match:
        return None
    lists = can.complete and can.lists_newest
    return sync if lists and context.makes(sync, connection) else None


def begin(
    tx: Tx, context: Context, connection: str, entity: str, rows: Iterable[Record], asked: datetime
) -> None:
    """Begin a survey with the first rows of a listing that was asked for at that time or later."""
    if surveyed(context, connection, entity) is not None:
        began_at = min((record.read_at for record in rows), default=asked)
        surveys.begin(tx, connection, entity, context.revision, began_at)


def take_in(tx: Tx, context: Context, connection: str, entity: str, rows: Iterable[Record]) -> None:
    """Take rows of a listing into the survey that is under way, if one is."""
    sync = surveyed(context, connection, entity)
    if sync is None or surveys.state(tx, connection, entity) is None:
        return
    entity_map = context.maps[connection][entity]
    met = {record.ref.id: keys_of(sync, entity_map, record) for record in rows}
    surveys.add(tx, connection, entity, met)


def complete(tx: Tx, connection: str, entity: str) -> None:
    """Record that the listing has ended, unless it lacks what the ledger knows to be there."""
    state = surveys.state(tx, connection, entity)
    if state is None:
        return
    if surveys.count_unmet(tx, connection, entity, state.began_at):
        surveys.end(tx, connection, entity)
    else:
        surveys.bring_up_to(tx, connection, entity, state.began_at, state.as_of)


def keys_of(sync: Sync, entity_map: EntityMap, record: Record) -> Sequence[SurveyedKey]:
    """Return the keys by which a row may be found; a copy of ours has none, for none is looked for.

    A row that does not show all that a rule asks for may be anything.
    """
    if record.marker is not None:
        return ()
    values = entity_map.canonical(record.data)
    if any(_is_open(entity_map, values, [term.field for term in rule]) for rule in sync.match):
        return (SurveyedKey(NO_RULE, UNKNOWN),)
    return [SurveyedKey(*key) for key in match_keys(sync, values, life_of(record, values).made)]


def _is_open(
    entity_map: EntityMap, values: dict[str, Canonical | Unreadable], names: Sequence[str]
) -> bool:
    """Return whether a row may have a rule's fields though it does not show all of them."""
    hidden = [
        name
        for name in names
        if name in entity_map.fields
        and (name not in values or isinstance(values[name], Unreadable))
    ]
    lacking = [
        name
        for name in names
        if name not in entity_map.fields or (name in values and values[name] in (None, ""))
    ]
    return bool(hidden) and not lacking


@dataclass(frozen=True, slots=True)
class SurveyQuestion:
    """Whether anything at a connection may have one of a ticket's keys."""

    connection: str
    entity: str
    lane: str
    keys: Sequence[Key]


def ruled_out_until(
    tx: Tx, context: Context, asked: Sequence[SurveyQuestion]
) -> list[datetime | None]:
    """Return until when a survey says that no record there has one of a ticket's keys.

    None: it does not say so. Has what was made since listed again in time, so that it stays fresh.
    """
    places = {(each.connection, each.entity) for each in asked if each.lane == LANE}
    fresh_until = {place: _fresh_until(tx, context, *place) for place in sorted(places)}
    spared = [
        fresh_until[each.connection, each.entity] if each.lane == LANE else None for each in asked
    ]
    sought = [
        Sought(number, each.connection, each.entity, key)
        for number, each in enumerate(asked)
        if spared[number] is not None
        and (sync := surveyed(context, each.connection, each.entity)) is not None
        for key in wanted_keys(sync, each.keys)
    ]
    held = surveys.may_hold(tx, sought)
    return [None if number in held else until for number, until in enumerate(spared)]


def _fresh_until(tx: Tx, context: Context, connection: str, entity: str) -> datetime | None:
    """Return until when a survey is fresh; None: there is none that is."""
    now = context.clock.now()
    state = surveys.state(tx, connection, entity)
    if state is None or state.as_of is None:
        return None
    age = now - state.as_of
    if state.revision != context.revision or age > MAX_GAP:
        surveys.end(tx, connection, entity)
        return None
    fresh_for = timedelta(seconds=context.timing.send_within)
    if age > fresh_for / 2:
        _have_it_refreshed(tx, state, connection, entity, now)
    if age > fresh_for or surveyed(context, connection, entity) is None:
        return None
    return state.as_of + fresh_for


def wanted_keys(sync: Sync, keys: Iterable[Key]) -> list[WantedKey]:
    """Return what to look for in a survey: in wider windows, for no clock is known so exactly."""
    wanted = []
    for rule, digest, at in keys:
        within = window(sync, rule)
        if within is None or at is None:
            wanted.append(WantedKey(digest))
        else:
            wide = within + MOMENT
            wanted.append(WantedKey(digest, at - wide, at + wide))
    return wanted


def _have_it_refreshed(
    tx: Tx, state: SurveyState, connection: str, entity: str, now: datetime
) -> None:
    if state.asked or not surveys.ask(tx, connection, entity):
        return
    work.enqueue(
        tx,
        kind=KIND,
        key=f"{KIND}:{connection}:{entity}",
        connection=connection,
        entity=entity,
        lane="reconcile",
        due_at=now,
        now=now,
    )


def refresh(context: Context, task: Task) -> Procedure:
    """List what was made since the survey was last brought up to date, and take it in."""
    connection, entity = task.row.connection, task.row.entity
    state = yield from transact(lambda tx: surveys.state(tx, connection, entity))
    if state is None or state.as_of is None:
        yield from transact(lambda tx: _finish(tx, context, task))
        return
    as_of = state.as_of
    # A record that was made earlier may not have been shown until now.
    since = as_of - context.appearing_time(connection, entity)

    def list_new(connector: Connector) -> tuple[datetime, Sequence[Record], list[str]]:
        asked_at = context.clock.now()
        with left_out.collected() as unreadable:
            return asked_at, connector.made_since(entity, since), unreadable

    deadline = task.deadline(context, connection)
    asked_at, rows, unreadable = yield from call_vendor(connection, list_new, deadline)

    def store(tx: Tx) -> None:
        if unreadable:
            surveys.end(tx, connection, entity)
        else:
            take_in(tx, context, connection, entity, rows)
            surveys.bring_up_to(tx, connection, entity, asked_at, as_of)
        _finish(tx, context, task)

    yield from transact(store)


def refresh_failed(tx: Tx, context: Context, task: Task, why: str, *, again: bool) -> bool:  # noqa: ARG001 - what every run is told
    """End a survey that cannot be kept fresh: what it could tell is searched for."""
    if not again:
        surveys.end(tx, task.row.connection, task.row.entity)
        _finish(tx, context, task)
    return again


def _finish(tx: Tx, context: Context, task: Task) -> None:
    work.finish(tx, task.row, task.owner, context.clock.now())
