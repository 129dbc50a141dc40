"""What other processes may have changed: looked at before each claim, so in one statement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import literal, select, true

from bridge.ledger import configurations, directory
from bridge.ledger.database import Tx
from bridge.ledger.directory import PeopleRevision
from bridge.ledger.tables import probed, run


@dataclass(frozen=True, slots=True)
class News:
    """What is known to the ledger at this moment."""

    files: str
    """The revision of the files in force; empty: there is none."""
    people: PeopleRevision
    """Changes whenever somebody is learned."""
    findings: Mapping[str, Mapping[str, bool]]
    """By connection that has any: which uncertain capabilities turned out to work, by name."""
    paused_runs: frozenset[int]


def look(tx: Tx) -> News:
    """Return what other processes may have changed since the last look."""
    rows = tx.execute(_NEWS).all()
    findings: dict[str, dict[str, bool]] = {}
    for row in rows:
        if row.connection is not None:
            findings.setdefault(row.connection, {})[row.name] = row.value
    files, people, newest = rows[0][:3]
    paused = frozenset(row.paused_run for row in rows if row.paused_run is not None)
    return News(files or "", (people, newest), findings, paused)


_ONE = select(literal(1)).subquery("one")
_PAUSED = (
    select(run.c.id.label("paused_run")).where(run.c.paused_at.is_not(None)).subquery("paused")
)
_NEWS = select(
    configurations.NEWEST_REVISION.scalar_subquery(),
    directory.COUNT.scalar_subquery(),
    directory.NEWEST.scalar_subquery(),
    probed.c.connection,
    probed.c.name,
    probed.c.value,
    _PAUSED.c.paused_run,
).select_from(_ONE.outerjoin(probed, true()).outerjoin(_PAUSED, true()))
"""One row at least, also where nothing was found out. Paused runs are few, if there are any."""
