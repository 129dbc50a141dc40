"""Brings the ledger's times along with a clock that was set back.

Else work that was raised just before would be looked at when the clock has made up for that, and
connections would rest, and polls wait, for as long. Claims, leases and open writes keep their
times: whoever holds them goes by those.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Table, select, update

from bridge.ledger.database import Tx
from bridge.ledger.tables import connection_health, notice_sending, run, work
from bridge.ledger.work import HELD_UNTIL


def follow(tx: Tx, now: datetime, step: timedelta) -> None:
    """Bring what lies ahead along with a clock that was set back by `step` and now says `now`.

    What was to be done within that time was due by the old time, and is due at once.
    """
    _bring(tx, work, work.c.id, work.c.due_at, now, step)
    _bring(tx, notice_sending, notice_sending.c.id, notice_sending.c.due_at, now, step)
    for column in (connection_health.c.paused_until, connection_health.c.probe_until):
        _bring(tx, connection_health, connection_health.c.connection, column, now, step)
    for column in (run.c.started_at, run.c.progress_at, run.c.finished_at):
        tx.execute(update(run).where(column > now).values({column.name: now}))


def _bring(
    tx: Tx, table: Table, key: Column[Any], column: Column[Any], now: datetime, step: timedelta
) -> None:
    due = update(table).where(column > now, column <= now + step)
    tx.execute(due.values({column.name: now}))
    later = select(key, column).where(column > now, column < HELD_UNTIL)
    for row, at in tx.execute(later).all():
        tx.execute(update(table).where(key == row).values({column.name: at - step}))
