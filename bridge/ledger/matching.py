"""By which keys a link can be found, and the locks that make "look, then link" one step."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from bridge.ledger.session import Tx, insert
from bridge.ledger.tables import match_key, match_lock


def lock(tx: Tx, sync: str, hashes: Iterable[str]) -> None:
    """Hold these keys until the transaction ends. Always in the same order, so that two holders can't block each other.

    The upsert is the lock: whoever comes second waits for the first one's commit, and then sees what it has stored.
    """
    for digest in sorted(set(hashes)):
        statement = insert(tx, match_lock).values(sync=sync, hash=digest)
        changes = {"hash": statement.excluded.hash}
        tx.execute(statement.on_conflict_do_update(index_elements=["sync", "hash"], set_=changes))


def put(tx: Tx, sync: str, link_id: str, connection: str, rows: Iterable[tuple[int, str, datetime | None]]) -> None:
    """Replace the keys under which a link is found through one of its records."""
    tx.execute(delete(match_key).where(match_key.c.link_id == link_id, match_key.c.connection == connection))
    found = [
        {"sync": sync, "link_id": link_id, "connection": connection, "rule": rule, "hash": digest, "at": at}
        for rule, digest, at in rows
    ]
    if found:
        tx.execute(insert(tx, match_key).on_conflict_do_nothing(), found)


def find(
    tx: Tx, sync: str, rule: int, digest: str, at: datetime | None = None, within: timedelta | None = None
) -> list[str]:
    """Give the links with this key; with a window, only those dated inside it (and none that has no date)."""
    statement = select(match_key.c.link_id).where(
        match_key.c.sync == sync, match_key.c.rule == rule, match_key.c.hash == digest
    )
    if within is not None:
        if at is None:
            return []
        statement = statement.where(match_key.c.at >= at - within, match_key.c.at <= at + within)
    return sorted(set(tx.execute(statement).scalars()))
