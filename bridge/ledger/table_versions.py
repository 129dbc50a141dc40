"""The version of the ledger's tables, read without Alembic: all commands ask, one changes it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

MIGRATIONS: Final = Path(__file__).parent / "migrations"
_TABLE: Final = "alembic_version"
_STORED: Final = text("SELECT version_num FROM alembic_version ORDER BY version_num")


@cache
def known_versions() -> tuple[str, ...]:
    """Return the versions that this bridge knows, oldest first; the last is the one it needs.

    Each is a file in `migrations/versions`, whose name begins with it.
    """
    files = (MIGRATIONS / "versions").glob("[0-9]*_*.py")
    return tuple(sorted(file.name.partition("_")[0] for file in files))


def stored_versions(tx: Connection) -> tuple[str, ...]:
    """Return the versions that a ledger says it is of; empty: it has no tables."""
    if not inspect(tx).has_table(_TABLE):
        return ()
    return tuple(tx.execute(_STORED).scalars())
