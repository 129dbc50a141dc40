"""The health of each connection: in use, paused for a while, or stopped by an operator or a 401.

A connection whose key is refused is stopped; a single call, ever rarer, sees whether it still is.

The circuit breaker is kept in the ledger so that all workers share it. Several failures in a row
open it, and each opening pauses the connection for longer. When the pause is over, exactly one
piece of work may call the connection (the probe); only its answer closes the breaker.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, bindparam, delete, or_, select, update

from bridge.ledger.database import Tx, insert
from bridge.ledger.tables import connection_health as health

BREAKER_FAILURES = 5
"""Failures in a row that open the breaker."""
ROW_ENDS_AFTER = timedelta(minutes=2)
"""A failure this long after the last pause that it may have caused begins a new row."""
MAX_PAUSE_SECONDS = 60.0
"""The longest pause that the breaker makes; the first is one second, each later one doubles."""
FIRST_STOP = timedelta(minutes=1)
MAX_STOP = timedelta(hours=1)
"""After so long a refused key is tried again by one call; each refusal in a row doubles it."""

_HEALTHY: dict[str, Any] = {
    "paused_until": None,
    "why": "",
    "failures": 0,
    "failed_at": None,
    "since": None,
    "opened": 0,
    "probe_until": None,
    "throttled": 0,
    "failing": "",
    "forbidden": "",
}


@dataclass(frozen=True, slots=True)
class Health:
    """One connection's health, as its row says."""

    connection: str
    paused_until: datetime | None
    """In the future: paused, by the breaker or because the vendor asked for it."""
    refused_at: datetime | None
    """Since when the credentials are refused: stopped until resumed, or until a probe is let in."""
    why: str
    failures: int
    failed_at: datetime | None
    since: datetime | None = None
    """When the present trouble began."""
    held_at: datetime | None = None
    """Paused by an operator until resumed."""
    opened: int = 0
    """The number of openings of the breaker in a row; 0: it is closed."""
    probe_until: datetime | None = None
    """Until then one piece of work, the probe, may call the connection to see if it works."""
    throttled: int = 0
    """Answers 429 in a row that named no time to wait."""
    failing: str = ""
    """The key of the work that failed last."""
    forbidden: str = ""
    """The key of the work that was answered with 403 last; empty after a success."""

    def state(self, now: datetime) -> str:
        """Return the state in one word: ok, failing, trying, paused or stopped."""
        if self.refused_at is not None:
            return "stopped"
        if self.held_at is not None or (self.paused_until is not None and self.paused_until > now):
            return "paused"
        if self.opened:
            return "trying"
        return "failing" if self.failures or self.forbidden else "ok"

    @property
    def halted(self) -> bool:
        """True if its work waits for an operator, who mends or resumes it."""
        return self.refused_at is not None or self.held_at is not None

    def half_open(self, now: datetime) -> bool:
        """Return whether a probe may try the connection: its pause is over, none is under way."""
        rests = self.held_at is not None or (
            self.paused_until is not None and self.paused_until > now
        )
        probing = self.probe_until is not None and self.probe_until > now
        return bool(self.refused_at or self.opened) and not rests and not probing

    def words(self, now: datetime) -> str:
        """Describe the state: until when, and why; empty when it is healthy."""
        state = self.state(now)
        if state == "ok":
            return ""
        why = self.why.removeprefix(f"{self.connection}: ") or "an answer failed"
        if state == "stopped":
            return f"stopped, because {why}"
        if state == "failing":
            return (
                f"failing ({self.failures} in a row), because {why}"
                if self.failures
                else f"failing, because {why}"
            )
        if self.held_at is not None:
            return f"paused until `bridge connection resume {self.connection}`, because {why}"
        if state == "paused":
            return f"paused until {self.paused_until:%Y-%m-%d %H:%M:%SZ}, because {why}"
        return f"paused except for one call that tests it, because {why}"


_ALL = select(health).order_by(health.c.connection)


def by_name(tx: Tx) -> dict[str, Health]:
    """Return the health of every connection that ever had trouble, by name."""
    rows = tx.execute(_ALL).mappings()
    return {row["connection"]: Health(**row) for row in rows}


def get(tx: Tx, connection: str) -> Health:
    """Return one connection's health."""
    row = tx.execute(select(health).where(health.c.connection == connection)).mappings().first()
    return Health(**row) if row is not None else Health(connection, None, None, "", 0, None)


def closed(tx: Tx, now: datetime) -> set[str]:
    """Return the connections that nobody may call now, not even a probe."""
    return set(tx.execute(_CLOSED, {"now": now}).scalars())


_TROUBLED = or_(health.c.opened > 0, health.c.refused_at.is_not(None))
_CLOSED = select(health.c.connection).where(
    or_(
        health.c.held_at.is_not(None),
        health.c.paused_until > bindparam("now"),
        and_(_TROUBLED, health.c.probe_until > bindparam("now")),
    )
)


def begin_probe(tx: Tx, connection: str, now: datetime, until: datetime) -> bool:
    """Claim the probe of a half-open connection; False when another worker has it."""
    if not get(tx, connection).half_open(now):
        return False
    free = or_(health.c.probe_until.is_(None), health.c.probe_until <= now)
    # The update checks once more: of two workers that both saw it free, the database lets one win.
    taken = update(health).where(health.c.connection == connection, _TROUBLED, free)
    return bool(tx.execute(taken.values(probe_until=until)).rowcount)


def end_probe(tx: Tx, connection: str) -> None:
    """Give the probe back unused: the work made no call to the connection."""
    tx.execute(update(health).where(health.c.connection == connection).values(probe_until=None))


def pause(
    tx: Tx, connection: str, until: datetime, why: str, *, now: datetime | None = None
) -> None:
    """Pause a connection until then, unless it is paused for longer already."""
    row = _row(tx, connection)
    if row.paused_until is None or row.paused_until < until:
        troubled = row.failures or row.opened or row.throttled or row.held_at or row.refused_at
        since = row.since if troubled else now
        why = row.why if row.held_at or row.refused_at else why
        tx.execute(_of(connection).values(paused_until=until, why=why, since=since))


def throttled(tx: Tx, connection: str, now: datetime) -> int:
    """Count an answer 429 that named no time; return how many came in a row before it.

    Several calls that were under way together and got the same answer count once.
    """
    row = _row(tx, connection)
    if row.paused_until is not None and row.paused_until > now:
        return max(0, int(row.throttled) - 1)
    tx.execute(_of(connection).values(throttled=row.throttled + 1))
    return int(row.throttled)


def refuse(
    tx: Tx, connection: str, why: str, now: datetime, first_stop: timedelta = FIRST_STOP
) -> bool:
    """Stop a connection until it is resumed or a probe succeeds; True when it was not stopped."""
    _put(tx, connection)
    statement = _of(connection).where(health.c.refused_at.is_(None))
    changes = {
        "refused_at": now,
        "why": why,
        "since": now,
        "probe_until": None,
        "forbidden": "",
        "opened": 0,
        "paused_until": now + min(first_stop, MAX_STOP),
    }
    return bool(tx.execute(statement.values(changes)).rowcount)


def refused_again(
    tx: Tx, connection: str, now: datetime, first_stop: timedelta = FIRST_STOP
) -> bool:
    """Record that a stopped connection refused its probe, too: the next comes later.

    False for a connection that is not stopped.
    """
    row = _row(tx, connection)
    rest = min(MAX_STOP, first_stop * int(2 ** min(row.opened + 1, 16)))
    stopped = _of(connection).where(health.c.refused_at.is_not(None))
    changes = {"paused_until": now + rest, "opened": row.opened + 1, "probe_until": None}
    return bool(tx.execute(stopped.values(changes)).rowcount)


def forbid(tx: Tx, connection: str, key: str, why: str, now: datetime) -> bool:
    """Record an answer 403; True when another piece of work had one just before."""
    row = _row(tx, connection)
    if row.forbidden and row.forbidden != key:
        return True
    tx.execute(_of(connection).values(forbidden=key, why=why, since=row.since or now))
    return False


def failed(
    tx: Tx, connection: str, why: str, now: datetime, *, probe: bool = False, item: str = ""
) -> int:
    """Count a failed call, open the breaker if it is one too many, and return the count.

    Work that fails repeatedly counts once: the fault may lie in its record, and its own backoff
    protects the system. While the breaker is open, or the connection stopped, only the probe's
    failure counts: the other calls were under way when that began.
    """
    row = _row(tx, connection)
    if (row.opened or row.refused_at is not None) and not probe:
        return int(row.failures)
    failures = row.failures + 1 if probe else _failures_in_a_row(row, now, item)
    began_now = not row.failures and not row.opened
    changes: dict[str, Any] = {
        "failures": failures,
        "failed_at": now,
        "why": why if row.refused_at is None else row.why,
        "failing": item,
        "since": now if began_now else row.since or now,
    }
    if probe or failures >= BREAKER_FAILURES:
        changes |= _opened_breaker(row, now)
    tx.execute(_of(connection).values(changes))
    return int(failures)


def _failures_in_a_row(row: Any, now: datetime, item: str) -> int:
    """Return the failures in a row, with the present one, of work that is no probe."""
    row_ends = ROW_ENDS_AFTER + timedelta(seconds=MAX_PAUSE_SECONDS)
    if row.failed_at is None or row.failed_at + row_ends < now:
        return 1
    same_work = bool(item) and row.failing == item
    return int(row.failures) + (0 if same_work else 1)


def _opened_breaker(row: Any, now: datetime) -> dict[str, Any]:
    """Return the changes that open the breaker (once more), for twice as long as the last time."""
    until = now + timedelta(seconds=min(MAX_PAUSE_SECONDS, 2.0 ** min(row.opened, 10)))
    asked_for = row.paused_until  # a vendor's Retry-After may be longer
    if asked_for is not None and asked_for > until:
        until = asked_for
    return {"opened": row.opened + 1, "probe_until": None, "paused_until": until}


def worked(tx: Tx, connection: str, *, probe: bool = False) -> None:
    """Reset the failures of a connection that answered.

    Only the probe closes the breaker, or lets a connection go on that was stopped.
    """
    # A pause that the vendor asked for stays.
    healthy = {**_HEALTHY, "paused_until": health.c.paused_until}
    not_held = _of(connection).where(health.c.held_at.is_(None))
    if probe:
        shut = or_(health.c.opened > 0, health.c.refused_at.is_not(None))
        tx.execute(not_held.where(shut).values({**healthy, "refused_at": None}))
    else:
        failing = or_(health.c.failures > 0, health.c.throttled > 0, health.c.forbidden != "")
        open_ = and_(health.c.opened == 0, health.c.refused_at.is_(None))
        tx.execute(not_held.where(open_, failing).values(healthy))


def take_over(tx: Tx, old: str, new: str) -> None:
    """Drop NEW's row, as OLD gets its name, or OLD's where an operator has paused only NEW."""
    held = select(health.c.connection).where(health.c.held_at.is_not(None))
    paused = set(tx.execute(held).scalars())
    dropped = old if new in paused and old not in paused else new
    tx.execute(delete(health).where(health.c.connection == dropped))


def hold(tx: Tx, connection: str, why: str, now: datetime) -> None:
    """Pause a connection by an operator's order, until it is resumed."""
    row = _row(tx, connection)
    if row.refused_at is None:
        tx.execute(_of(connection).values(held_at=now, why=why, since=now))


def resume(tx: Tx, connection: str) -> None:
    """Use the connection again by an operator's order."""
    _put(tx, connection)
    tx.execute(_of(connection).values({**_HEALTHY, "refused_at": None, "held_at": None}))


def _of(connection: str) -> Any:
    return update(health).where(health.c.connection == connection)


def _row(tx: Tx, connection: str) -> Any:
    """Return the connection's row, made if there is none, locked for this transaction."""
    _put(tx, connection)
    return tx.execute(
        select(health).where(health.c.connection == connection).with_for_update()
    ).one()


def _put(tx: Tx, connection: str) -> None:
    tx.execute(insert(tx, health).values(connection=connection).on_conflict_do_nothing())
