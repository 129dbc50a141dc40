"""Match keys, by which links are found, and the locks that make "find or create" one step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from hashlib import blake2b
from typing import Any

from sqlalchemy import Delete, Select, bindparam, delete, exists, select, true, tuple_
from sqlalchemy.dialects.postgresql import Insert

from bridge.ledger.database import Tx, advisory_locks, insert_for
from bridge.ledger.json_rows import Rows
from bridge.ledger.tables import match_key

Key = tuple[int, str, datetime | None]
"""Number of a match rule, hash of its exact terms, time of its windowed term."""
SyncKey = tuple[int, str]
"""The first two of these."""


@dataclass(frozen=True, slots=True)
class LinkKeys:
    """The keys that a link has through one of its records."""

    sync: str
    link_id: str
    connection: str
    keys: Sequence[Key]


def lock(tx: Tx, sync: str, hashes: Iterable[str]) -> None:
    """Lock these keys of a sync; see `lock_all`."""
    lock_all(tx, {(sync, digest) for digest in hashes})


def lock_all(tx: Tx, names: Iterable[tuple[str, str]]) -> None:
    """Lock keys of syncs until the transaction ends; a second transaction waits for the commit.

    They are locked in one order everywhere, so that two transactions cannot block each other.
    """
    advisory_locks(tx, sorted({_number(sync, digest) for sync, digest in names}))


def _number(sync: str, digest: str) -> int:
    """Return a key's lock number. Two keys may share one: then a transaction waits needlessly."""
    return int.from_bytes(blake2b(f"{sync}/{digest}".encode(), digest_size=8).digest(), signed=True)


def put(tx: Tx, sync: str, link_id: str, connection: str, keys: Iterable[Key]) -> None:
    """Replace the keys that a link has through one of its records."""
    put_all(tx, [LinkKeys(sync, link_id, connection, list(keys))])


def put_all(tx: Tx, given: Sequence[LinkKeys]) -> None:
    """Replace the keys that links have through one of their records each."""
    if given:
        places = [(each.link_id, each.connection) for each in given]
        tx.execute(_drop(tx.dialect.name), _PLACES.given(tx, places))
    add_all(tx, given)


def add(tx: Tx, sync: str, link_id: str, connection: str, keys: Iterable[Key]) -> None:
    """Add the keys that a link has through a new record."""
    add_all(tx, [LinkKeys(sync, link_id, connection, list(keys))])


def add_all(tx: Tx, given: Sequence[LinkKeys]) -> None:
    """Add the keys that links have through new records."""
    rows = [(each.sync, each.link_id, each.connection, *key) for each in given for key in each.keys]
    if rows:
        tx.execute(_add(tx.dialect.name), _KEYS.given(tx, rows))


def with_known_keys(tx: Tx, sought: Iterable[tuple[str, str, SyncKey]]) -> set[str]:
    """Return for which of these links another one has a key, whatever its times.

    They are asked for as (link id, sync, key); they need not be stored.
    """
    rows = [(link_id, sync, *key) for link_id, sync, key in sought]
    if not rows:
        return set()
    return set(tx.execute(_known(tx.dialect.name), _SOUGHT.given(tx, rows)).scalars())


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
_COLUMNS = ("sync", "link_id", "connection", "rule", "hash", "at")
_KEYS = Rows(**{name: match_key.c[name].type for name in _COLUMNS})
_PLACES = Rows(**{name: match_key.c[name].type for name in ("link_id", "connection")})
_SOUGHT = Rows(**{name: match_key.c[name].type for name in ("link_id", "sync", "rule", "hash")})


@cache
def _add(dialect: str) -> Insert:
    new = _KEYS.table(dialect)
    added = insert_for(dialect, match_key).from_select(new.c.keys(), select(*new.c).where(true()))
    return added.on_conflict_do_nothing()


@cache
def _drop(dialect: str) -> Delete:
    gone = _PLACES.table(dialect)
    places = select(gone.c.link_id, gone.c.connection)
    return delete(match_key).where(tuple_(match_key.c.link_id, match_key.c.connection).in_(places))


@cache
def _known(dialect: str) -> Select[Any]:
    sought = _SOUGHT.table(dialect)
    has_it = exists().where(
        match_key.c.sync == sought.c.sync,
        match_key.c.rule == sought.c.rule,
        match_key.c.hash == sought.c.hash,
        match_key.c.link_id != sought.c.link_id,
    )
    return select(sought.c.link_id).where(has_it).distinct()
