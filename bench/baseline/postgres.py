"""The baseline's table in PostgreSQL: the same statements, one commit an event."""

from __future__ import annotations

from collections.abc import Iterable

import psycopg


class PostgresTable:
    """Which ticket there belongs to which here. Several workers share the database."""

    def __init__(self, url: str) -> None:
        self._database = psycopg.connect(url)
        with self._database.transaction():
            self._database.execute("select pg_advisory_xact_lock(1)")  # workers begin together
            self._database.execute(
                "create table if not exists mapping (source_id text primary key, target_id text not null,"
                " updated_at text, mirrored_at timestamptz)"
            )

    def target_of(self, source: str) -> str | None:
        """Give the id of the counterpart, if there is one."""
        with self._database.transaction():
            row = self._database.execute(
                "select target_id from mapping where source_id = %s", (source,)
            ).fetchone()
        return row[0] if row else None

    def remember(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """Commit source id, target id, and the version that was mirrored just now."""
        with self._database.transaction(), self._database.cursor() as cursor:
            cursor.executemany(
                "insert into mapping values (%s, %s, %s, now()) on conflict (source_id) do update"
                " set updated_at = excluded.updated_at, mirrored_at = excluded.mirrored_at",
                list(rows),
            )

    def close(self) -> None:
        """Close the connection."""
        self._database.close()
