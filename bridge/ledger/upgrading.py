"""Brings the ledger's tables to this version, with Alembic."""

from __future__ import annotations

from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from bridge.ledger.table_versions import MIGRATIONS


def upgrade_tables(tx: Connection) -> None:
    """Bring the tables to this version, as a part of the transaction."""
    script = ScriptDirectory(MIGRATIONS)

    def steps(revision: Any, _context: Any) -> Any:
        return script._upgrade_revs("head", revision)  # noqa: SLF001 - what alembic's own command does

    config = Config(attributes={"connection": tx})
    with EnvironmentContext(config, script, fn=steps):
        script.run_env()
