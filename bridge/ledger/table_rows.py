"""Moves the rows of whole tables from one ledger to another, of either kind of database."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from sqlalchemy import Integer, Table, delete, func, select

from bridge.ledger import tables
from bridge.ledger.database import Tx

BATCH: Final = 500


def copy(source: Tx, target: Tx, leave_out: Collection[str] = ()) -> dict[str, int]:
    """Copy the rows of all tables but those left out; return how many, by table."""
    return {
        table.name: _copy(source, target, table)
        for table in tables.metadata.sorted_tables
        if table.name not in leave_out
    }


def _copy(source: Tx, target: Tx, table: Table) -> int:
    count, result = 0, source.execute(select(table))
    while rows := result.fetchmany(BATCH):
        target.execute(table.insert(), [dict(row._mapping) for row in rows])  # noqa: SLF001 - SQLAlchemy's own
        count += len(rows)
    return count


def clear(tx: Tx) -> None:
    """Delete the rows of all tables."""
    for table in reversed(tables.metadata.sorted_tables):
        tx.execute(delete(table))


def number_on(tx: Tx) -> None:
    """Have PostgreSQL number new rows after those that were copied; SQLite does by itself."""
    if tx.dialect.name == "sqlite":
        return
    for table, column in _numbered():
        sequence = func.pg_get_serial_sequence(f'"{table.name}"', column)
        highest = select(func.max(table.c[column])).scalar_subquery()
        tx.execute(select(func.setval(sequence, func.coalesce(highest, 1), highest.is_not(None))))


def _numbered() -> Iterable[tuple[Table, str]]:
    """Return each table whose rows are numbered, and the column."""
    for table in tables.metadata.sorted_tables:
        (first, *more) = table.primary_key.columns
        if not more and isinstance(first.type, Integer) and not first.foreign_keys:
            yield table, first.name
