"""Moves the rows of whole tables from one ledger to another, of either kind of database."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    Column,
    Insert,
    Integer,
    Select,
    Table,
    Text,
    bindparam,
    delete,
    func,
    select,
    type_coerce,
)
from sqlalchemy.types import TypeEngine

from bridge.ledger import tables
from bridge.ledger.columns import Json
from bridge.ledger.database import Tx, one_of

BATCH: Final = 500


def copy(source: Tx, target: Tx, leave_out: Collection[str] = ()) -> dict[str, int]:
    """Copy the rows of all tables but those left out; return how many, by table."""
    return {
        table.name: _copy(source, target, table)
        for table in tables.metadata.sorted_tables
        if table.name not in leave_out
    }


def copy_listed(source: Tx, target: Tx, column: Column[Any], items: Collection[Any]) -> int:
    """Copy the rows of a table that have one of these values in a column; return how many."""
    return _copy(source, target, column.table, column, items) if items else 0


def _copy(
    source: Tx,
    target: Tx,
    table: Any,
    column: Column[Any] | None = None,
    items: Collection[Any] = (),
) -> int:
    rows_of = _rows(source.dialect.name, table, column)
    count, result = 0, source.execute(rows_of, {} if column is None else {"ids": list(items)})
    while rows := result.fetchmany(BATCH):
        target.execute(_insert(table), [dict(row._mapping) for row in rows])  # noqa: SLF001 - SQLAlchemy's own
        count += len(rows)
    return count


@cache
def _rows(dialect: str, table: Table, column: Column[Any] | None) -> Select[Any]:
    """Return the query for the rows; JSON stays the text that it is."""
    rows = select(*(type_coerce(each, _plain(each)).label(each.name) for each in table.columns))
    return rows if column is None else rows.where(one_of(dialect, column))


@cache
def _insert(table: Table) -> Insert:
    return table.insert().values(
        {each.name: bindparam(each.name, type_=_plain(each)) for each in table.columns}
    )


def _plain(column: Column[Any]) -> TypeEngine[Any]:
    return Text() if isinstance(column.type, Json) else column.type


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
        by_itself = isinstance(first.type, Integer) and first.autoincrement is not False
        if not more and by_itself and not first.foreign_keys:
            yield table, first.name
