"""Column types: one for times, one for text, one for JSON, so that both databases keep exactly what they were given."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from bridge.ledger import value_codec


class UTCDateTime(TypeDecorator[datetime]):
    """An aware time in UTC. A naive one is refused: SQLite would drop the offset of an aware one without a word."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn any aware time into UTC, in the form that the database keeps."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; the ledger keeps aware times only")
        moved = value.astimezone(UTC)
        return moved.replace(tzinfo=None) if dialect.name == "sqlite" else moved

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give an aware time in UTC, whatever the session's own zone is."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class StorableText(TypeDecorator[str]):
    """Text from outside. What no database stores (NUL, half a surrogate pair) is replaced."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Make the text storable."""
        del dialect
        return None if value is None else value_codec.storable(value)


class Json(TypeDecorator[Any]):
    """A value kept as JSON text, with the kinds of value that JSON has not (codec.py). Escaped, so NUL is harmless.

    `lenient` is for what people read: anything unknown is kept as its text instead of being
    refused.
    """

    impl = Text
    cache_ok = True

    def __init__(self, *, lenient: bool = False) -> None:
        super().__init__()
        self.lenient = lenient

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Write the value as text; None is SQL's NULL."""
        del dialect
        return None if value is None else value_codec.dumps(value, lenient=self.lenient)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Read it back."""
        del dialect
        return None if value is None else value_codec.loads(value)
