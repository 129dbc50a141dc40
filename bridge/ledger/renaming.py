"""Gives a connection or a sync another name, in every table at once.

History keeps the old name where it tells in words what happened; what the bridge goes on by, the
agreed state included, gets the new one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Table, delete, func, literal, select, update

from bridge.core.model.markers import original_key
from bridge.core.model.state import FieldState
from bridge.core.model.values import Ref
from bridge.ledger import (
    api_tokens,
    catch_up,
    census,
    connection_health,
    link_codec,
    links,
    matching,
    tables,
)
from bridge.ledger.database import Tx
from bridge.ledger.matching import LinkKeys
from bridge.ledger.survey_tables import survey, surveyed_key

PAGE: Final = 500
ONE_EACH: Final = (
    *(tables.probed, tables.figure, tables.person, tables.stray_copy),
    *(survey, surveyed_key, tables.unknown_part, tables.notice_told),
)
"""Tables of what was found out about a connection: the old one's findings replace the new one's."""
NAMED: Final = (
    *(tables.side, tables.attempt, tables.create_intent, tables.match_key, tables.conflict),
    *(tables.unmapped, tables.journal, tables.drift, tables.run, tables.inbox, tables.work),
    *(tables.connection_health, tables.catch_up, tables.vendor_call, tables.notice, *ONE_EACH),
)
"""Every table with a column that names a connection."""


def count_records(tx: Tx, connection: str) -> int:
    """Count the records of a connection that the ledger knows, deleted ones included."""
    of = tables.side.c.connection == connection
    return tx.execute(select(func.count()).select_from(tables.side).where(of)).scalar_one()


def is_known(tx: Tx, connection: str) -> bool:
    """Return whether anything is kept of a connection: records, webhooks, work, what it taught."""
    return any(
        tx.execute(select(literal(1)).where(table.c.connection == connection).limit(1)).first()
        for table in NAMED
    )


def rename_connection(tx: Tx, old: str, new: str) -> dict[str, int]:
    """Rename a connection; how many rows of each table were. NEW must have no records yet."""
    work, run = tables.work, tables.run
    # What was begun for the new name, before anybody knew that it is the old account, is dropped.
    tx.execute(delete(work).where(work.c.connection == new))
    tx.execute(delete(run).where(run.c.connection == new))
    for table in ONE_EACH:
        tx.execute(delete(table).where(table.c.connection == new))
    connection_health.take_over(tx, old, new)
    catch_up.take_over(tx, old, new)  # a ledger that was put back says so by the files' names
    taken = select(tables.inbox.c.delivery_key).where(tables.inbox.c.connection == new)
    repeated = tables.inbox.c.delivery_key.in_(taken.scalar_subquery())
    # The same delivery came under both names: under the old one it keeps its row, and its account.
    of_both = tables.inbox.update().where(tables.inbox.c.connection == old, repeated)
    tx.execute(of_both.values(delivery_key=literal(f"{old}:") + tables.inbox.c.delivery_key))
    _rename_keys(tx, old, new)
    census.forget(tx)
    counts = {table.name: _rename(tx, table, "connection", old, new) for table in NAMED}
    counts["link"] = sum(_rename_in_states(tx, page, old, new) for page in _pages(tx))
    counts["api_token"] = api_tokens.rename_connection(tx, old, new)
    _add_originals(tx, new)
    return {name: count for name, count in counts.items() if count}


def rename_sync(tx: Tx, old: str, new: str) -> dict[str, int]:
    """Rename a sync; how many rows of each table were."""
    census.forget(tx)
    both = (tables.link, tables.match_key)
    return {table.name: _rename(tx, table, "sync", old, new) for table in both}


def _rename(tx: Tx, table: Table, column: str, old: str, new: str) -> int:
    statement = update(table).where(table.c[column] == old).values({column: new})
    return int(tx.execute(statement).rowcount)


def _rename_keys(tx: Tx, old: str, new: str) -> None:
    """Rename a connection in the keys of its work, in which it is the first part of that name."""
    work = tables.work
    for row in tx.execute(select(work.c.id, work.c.key).where(work.c.connection == old)).all():
        parts = row.key.split(":")
        if old in parts:
            parts[parts.index(old)] = new
            tx.execute(update(work).where(work.c.id == row.id).values(key=":".join(parts)))


def _add_originals(tx: Tx, connection: str) -> None:
    """Let copies that are made from now on find the records of which they are copies.

    Their markers name the original by its connection's name. Those of before keep the key by which
    they find it.
    """
    side, after = tables.side, 0
    of = select(side.c.id, tables.link.c.sync, side.c.link_id, side.c.entity, side.c.remote_id)
    of = of.join(tables.link).where(side.c.connection == connection).order_by(side.c.id).limit(PAGE)
    while rows := tx.execute(of.where(side.c.id > after)).all():
        after, added = rows[-1].id, []
        for row in rows:
            named = original_key(Ref(connection, row.entity, row.remote_id))
            key = (matching.ORIGINAL, named, None)
            added.append(LinkKeys(row.sync, row.link_id, connection, [key]))
        matching.add_all(tx, added)


def _pages(tx: Tx) -> Iterator[list[str]]:
    after = ""
    while page := links.ids(tx, after, PAGE):
        after = page[-1]
        yield page


def _rename_in_states(tx: Tx, link_ids: list[str], old: str, new: str) -> int:
    """Rename a connection in the agreed states of some links; how many of them name it."""
    link, count = tables.link, 0
    for row in tx.execute(select(link.c.id, link.c.state).where(link.c.id.in_(link_ids))).all():
        states = link_codec.to_state(row.state)
        for state in states.values():
            _rename_in_state(state, old, new)
        encoded = link_codec.state(states)
        if encoded != row.state:
            count += 1
            tx.execute(update(link).where(link.c.id == row.id).values(state=encoded))
    return count


def _rename_in_state(state: FieldState, old: str, new: str) -> None:
    state.set_by = new if state.set_by == old else state.set_by
    state.read_from = new if state.read_from == old else state.read_from
    for element in state.elements.values():
        element.by = new if element.by == old else element.by
    if state.candidates is not None:
        state.candidates = _renamed_keys(state.candidates, old, new)
    state.flips = [(at, new if by == old else by) for at, by in state.flips]


def _renamed_keys(values: Mapping[str, Any], old: str, new: str) -> dict[str, Any]:
    return {new if name == old else name: value for name, value in values.items()}
