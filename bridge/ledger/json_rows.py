"""Many rows for one statement, handed over as one JSON parameter.

To compile and bind a list of VALUES costs more than the database takes to store them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import orjson
from sqlalchemy import (
    Column,
    Select,
    String,
    Subquery,
    Table,
    Text,
    bindparam,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from bridge.ledger.columns import StorableText, UTCDateTime, naive
from bridge.ledger.database import Tx
from bridge.ledger.value_codec import storable

ROWS = "rows"
"""The parameter's name."""


class Rows:
    """The shape of rows that statements take: names, each with the type of its values.

    Of what is encoded already, that is plain text.
    """

    def __init__(self, **types: TypeEngine[Any]) -> None:
        self._columns = tuple(Column(name, kind) for name, kind in types.items())

    @classmethod
    def like(cls, table: Table, *names: str, **others: TypeEngine[Any]) -> Rows:
        """Return the shape of rows with these columns of a table, and with `others`."""
        return cls(**{name: table.c[name].type for name in names} | others)

    def table(self, dialect: str) -> Subquery:
        """Return the rows of the parameter, to select from."""
        return select_rows(dialect, self._columns).subquery("new")

    def given(self, tx: Tx, rows: Iterable[tuple[Any, ...]]) -> dict[str, str]:
        """Return the parameter with these rows, each a value for each name in turn."""
        return encoded(tx.dialect.name, self._columns, rows)


def select_rows(dialect: str, columns: Sequence[Column[Any]]) -> Select[Any]:
    """Return the query for the rows that `encoded` has put into the parameter, in their order."""
    if dialect == "sqlite":
        each = func.json_each(bindparam(ROWS, type_=Text)).table_valued("key", "value")
        return select(
            *(
                func.json_extract(each.c.value, literal_column(f"'$[{place}]'")).label(column.name)
                for place, column in enumerate(columns)
            )
        ).order_by(each.c.key)
    texts = func.json_array_elements(cast(bindparam(ROWS, type_=Text), postgresql.JSON))
    each = texts.table_valued("value", with_ordinality="place").render_derived()
    return select(
        *(
            cast(each.c.value.op("->>")(literal_column(str(place))), _untruncated(column)).label(
                column.name
            )
            for place, column in enumerate(columns)
        )
    ).order_by(each.c.place)


def _untruncated(column: Column[Any]) -> TypeEngine[Any]:
    """Return the column's type; a cast to a short text would cut off what an INSERT refuses."""
    return Text() if isinstance(column.type, String) else column.type


def encoded(
    dialect: str, columns: tuple[Column[Any], ...], rows: Iterable[Sequence[Any]]
) -> dict[str, str]:
    """Return the parameter: of each row a value for each of these columns, as they store it."""
    processors = _processors(dialect, columns)
    values = [
        [
            value if process is None else process(value)
            for value, process in zip(row, processors, strict=True)
        ]
        for row in rows
    ]
    return {ROWS: orjson.dumps(values).decode()}


@cache
def _processors(
    dialect: str, columns: tuple[Column[Any], ...]
) -> tuple[Callable[[Any], Any] | None, ...]:
    return tuple(_processor(column.type, dialect) for column in columns)


def _processor(kind: TypeEngine[Any], dialect: str) -> Callable[[Any], Any] | None:
    """Return what makes of a value what such a column stores; None: it stays as it is.

    For the types that nearly all columns have that is done without the layers of SQLAlchemy.
    """
    if isinstance(kind, StorableText):
        return _text
    if isinstance(kind, UTCDateTime) and dialect == "sqlite":
        return sqlite_time
    known: Dialect = _DIALECTS[dialect]
    return kind.dialect_impl(known).bind_processor(known)


def _text(value: str | None) -> str | None:
    return None if value is None else storable(value)


def sqlite_time(value: datetime | None) -> str | None:
    """Return a time as SQLite stores it."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise naive(value)
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


_DIALECTS: Final[Mapping[str, Any]] = {
    "sqlite": sqlite.dialect(),
    "postgresql": postgresql.dialect(),  # type: ignore[no-untyped-call]
}
