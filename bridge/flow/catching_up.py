"""Whether the ledger has caught up with a connection, after it was lost or put back.

Until then nothing is created there: a record that is missing in the ledger may be at the vendor.
"""

from __future__ import annotations

from bridge.core.model.clocks import TimeSpan
from bridge.engine.context import Context
from bridge.ledger import catch_up, listings, run_records
from bridge.ledger.catch_up import CatchUp
from bridge.ledger.database import Tx

KINDS = {"poll": ("poll", "full"), "full": ("full",)}
"""Kind of listing that is needed -> kinds of runs that will do."""


def is_behind(tx: Tx, context: Context, connection: str) -> bool:
    """Return whether records may be on a connection that the ledger has not taken in yet.

    It has when a listing that began since is whole, and all that it found was looked at; what
    fails again and again is not waited for. All entities count: a copy may be listed as another one
    than it was made for.
    """
    state = catch_up.get(tx, connection)
    if state is None:
        return False
    entities = [sync.entity for sync in context.syncs.values() if connection in sync.members]
    return any(_is_unlisted(tx, state, entity) for entity in entities)


def _is_unlisted(tx: Tx, state: CatchUp, entity: str) -> bool:
    listed_at = run_records.first_whole(
        tx,
        kinds=KINDS[state.kind],
        connection=state.connection,
        entity=entity,
        since=state.since,
    )
    return listed_at is None or listings.is_unread(tx, state.connection, entity, listed_at)


def is_late(tx: Tx, connection: str, made: TimeSpan | None) -> bool:
    """Return whether a record may be older than the ledger's knowledge of a connection.

    Then a copy of it may be there that no marker tells. `made`: when the record was made by our
    clock; None: it shows no time, so it counts as older.
    """
    since = catch_up.knows_since(tx, connection)
    if since is None:
        return False
    return made is None or made.after < since


def end_where_done(tx: Tx, context: Context) -> None:
    """Record with which connections the ledger has caught up."""
    done = [name for name in catch_up.by_connection(tx) if not is_behind(tx, context, name)]
    catch_up.end(tx, done)
