"""Column types for times, text and JSON that both databases store and return alike."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, DateTime, Index, Label, MetaData, Text, type_coerce
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.types import TypeDecorator

from bridge.ledger import value_codec

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)
"""All tables of the ledger."""


def partial_index(
    name: str, *columns: Column[Any], where: ColumnElement[bool] | TextClause, unique: bool = False
) -> Index:
    """Make an index of those rows of a table alone of which something holds."""
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


def naive(value: datetime) -> ValueError:
    """Return the error that refuses a time without a zone."""
    return ValueError(f"{value!r} has no time zone; the ledger keeps aware times only")


class UTCDateTime(TypeDecorator[datetime]):
    """An aware time, stored in UTC. Naive times are refused: their zone cannot be known."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert an aware time to UTC, in the form that the database stores."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise naive(value)
        utc = value.astimezone(UTC)
        # SQLite stores no zone and would silently drop it.
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return an aware time in UTC, whatever the database session's zone is."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class StorableText(TypeDecorator[str]):
    """Text from outside. Characters that no database stores (NUL, lone surrogates) are replaced."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Replace what cannot be stored."""
        del dialect
        return None if value is None else value_codec.storable(value)


class Json(TypeDecorator[Any]):
    """A value stored as ASCII JSON text; `value_codec` adds the types that JSON lacks.

    `lenient` is for columns that only people read: values of unknown types are stored as their
    text instead of being refused.
    """

    impl = Text
    cache_ok = True

    def __init__(self, *, lenient: bool = False) -> None:
        super().__init__()
        self.lenient = lenient

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Encode the value; None becomes SQL NULL."""
        del dialect
        return None if value is None else value_codec.dumps(value, lenient=self.lenient)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Decode the stored text."""
        del dialect
        return None if value is None else value_codec.loads(value)


def as_text(column: Column[Any]) -> Label[str]:
    """Return a column of JSON as it is stored, to be decoded by whoever asks for it."""
    return type_coerce(column, Text).label(column.name)
