"""Runs migrations in the transaction that `Ledger.upgrade` opened; Alembic loads it by path."""

from __future__ import annotations

from alembic import context

from bridge.ledger.tables import metadata

# Batch mode copies a table where SQLite cannot alter it. Both databases undo DDL: a failed upgrade
# leaves nothing.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
