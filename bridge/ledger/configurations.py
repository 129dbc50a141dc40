"""What the files said when the bridge last started with changed ones; the newest is in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select

from bridge.ledger.database import Tx, advisory_lock
from bridge.ledger.tables import configuration, conflict, link

CONFIGURATION_LOCK: Final = 0x636F_6E66_6967
"""An advisory lock's number (the letters "config"): processes that start together wait here."""


@dataclass(frozen=True, slots=True)
class ConfigurationRow:
    """The files as they were when the bridge started with them."""

    id: int
    revision: str
    at: datetime
    actor: str
    detail: Mapping[str, Any]


def newest(tx: Tx) -> ConfigurationRow | None:
    """Return the configuration in force; None when the bridge never started with one."""
    row = tx.execute(_NEWEST).mappings().first()
    return ConfigurationRow(**row) if row is not None else None


def newest_revision(tx: Tx) -> str:
    """Return the revision in force; empty when there is none."""
    return tx.execute(NEWEST_REVISION).scalar() or ""


def lock(tx: Tx) -> None:
    """Let one process at a time decide which configuration is in force."""
    advisory_lock(tx, CONFIGURATION_LOCK)


def add(tx: Tx, revision: str, detail: Mapping[str, Any], actor: str, now: datetime) -> None:
    """Put a configuration in force."""
    values = {"revision": revision, "at": now, "actor": actor, "detail": dict(detail)}
    tx.execute(configuration.insert().values(values))


def count_tickets(tx: Tx) -> dict[str, int]:
    """Count the links by sync."""
    return dict(tx.execute(select(link.c.sync, func.count()).group_by(link.c.sync)).all())


def disputed_links(tx: Tx) -> list[str]:
    """Return the links with a field in conflict."""
    of = select(conflict.c.link_id).where(conflict.c.closed_at.is_(None)).distinct()
    return list(tx.execute(of).scalars())


_NEWEST = select(configuration).order_by(configuration.c.id.desc()).limit(1)
NEWEST_REVISION = select(configuration.c.revision).order_by(configuration.c.id.desc()).limit(1)
