"""Match keys, by which links are found, and the locks that make "find or create" one step."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from hashlib import blake2b

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.postgresql import Insert

from bridge.ledger.database import Tx, advisory_lock, insert_for
from bridge.ledger.tables import match_key


def lock(tx: Tx, sync: str, hashes: Iterable[str]) -> None:
    """Lock these keys until the transaction ends; a second transaction waits for the commit.

    They are locked in one order everywhere, so that two transactions cannot block each other.
    """
    for number in sorted({_number(sync, digest) for digest in hashes}):
        advisory_lock(tx, number)


def _number(sync: str, digest: str) -> int:
    """Return a key's lock number. Two keys may share one: then a transaction waits needlessly."""
    return int.from_bytes(blake2b(f"{sync}/{digest}".encode(), digest_size=8).digest(), signed=True)


def put(
    tx: Tx,
    sync: str,
    link_id: str,
    connection: str,
    rows: Iterable[tuple[int, str, datetime | None]],
) -> None:
    """Replace the keys that a link has through one of its records."""
    tx.execute(_DROP, {"of": link_id, "through": connection})
    add(tx, sync, link_id, connection, rows)


def add(
    tx: Tx,
    sync: str,
    link_id: str,
    connection: str,
    rows: Iterable[tuple[int, str, datetime | None]],
) -> None:
    """Add the keys that a link has through a new record."""
    values = [
        {
            "sync": sync,
            "link_id": link_id,
            "connection": connection,
            "rule": rule,
            "hash": digest,
            "at": at,
        }
        for rule, digest, at in rows
    ]
    if values:
        tx.execute(_add(tx.dialect.name), values)


@cache
def _add(dialect: str) -> Insert:
    return insert_for(dialect, match_key).on_conflict_do_nothing()


ORIGINAL = -2
"""The number of a match rule of our own: every record is found by the key by which the markers in
its copies name it."""
ALIKE = -3
"""The number of another one: tickets that were new to a ledger which was put back, by what
they say."""
_LOWEST, _HIGHEST = "2", "z"
"""Of the characters of such keys, in every collation."""


def originals(tx: Tx, sync: str, key: str, length: int) -> list[str]:
    """Return the links that have the record of this key; of its beginning, where that is all."""
    between = match_key.c.hash.between(key.ljust(length, _LOWEST), key.ljust(length, _HIGHEST))
    of_sync = (match_key.c.sync == sync, match_key.c.rule == ORIGINAL)
    return sorted(set(tx.execute(select(match_key.c.link_id).where(*of_sync, between)).scalars()))


_DROP = delete(match_key).where(
    match_key.c.link_id == bindparam("of"), match_key.c.connection == bindparam("through")
)


def find(
    tx: Tx,
    sync: str,
    rule: int,
    digest: str,
    at: datetime | None = None,
    within: timedelta | None = None,
) -> list[str]:
    """Return the links with this key; with a window, only those whose date lies in it."""
    wanted = {"of": sync, "by": rule, "digest": digest}
    if within is None:
        return sorted(set(tx.execute(_FIND, wanted).scalars()))
    if at is None:
        return []
    between = {"after": at - within, "before": at + within}
    return sorted(set(tx.execute(_FIND_DATED, wanted | between).scalars()))


_FIND = select(match_key.c.link_id).where(
    match_key.c.sync == bindparam("of"),
    match_key.c.rule == bindparam("by"),
    match_key.c.hash == bindparam("digest"),
)
_FIND_DATED = _FIND.where(
    match_key.c.at >= bindparam("after"), match_key.c.at <= bindparam("before")
)
