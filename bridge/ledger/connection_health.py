"""How each connection is doing: in use, resting for a while, or stopped until an admin resumes it.

The breaker is here, in the ledger, so that all workers share it: several failures in a row open it,
each opening rests longer than the one before, and after a rest exactly one piece of work may try.
Only that one's answer closes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, or_, select, update

from bridge.ledger.database import Tx, insert
from bridge.ledger.tables import connection_health as health

PATIENCE = 5
"""Failures in a row, with no more than CALM between them, after which a connection rests."""
CALM = timedelta(minutes=2)
"""A failure this long after the last one is the first of a new row."""
LONGEST_REST = 60.0

_WELL: dict[str, Any] = {
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
    """In the future: resting, by the breaker or because the vendor asked for it."""
    refused_at: datetime | None
    """The credentials were refused: stopped until resumed."""
    why: str
    failures: int
    failed_at: datetime | None
    since: datetime | None = None
    """When the present trouble began."""
    held_at: datetime | None = None
    """Paused by an operator until resumed."""
    opened: int = 0
    """How often in a row the breaker has opened; 0: it is closed."""
    probe_until: datetime | None = None
    """Until then, one piece of work is finding out whether the connection is well again."""
    throttled: int = 0
    """Answers 429 in a row that did not say for how long."""
    failing: str = ""
    """The work that failed last."""
    forbidden: str = ""
    """The work that was answered with 403 last, if nothing has been answered well since."""

    def state(self, now: datetime) -> str:
        """Give the state in one word: ok, failing, trying, paused or stopped. Only `ok` is healthy."""
        if self.refused_at is not None:
            return "stopped"
        if self.held_at is not None or (self.paused_until is not None and self.paused_until > now):
            return "paused"
        if self.opened:
            return "trying"
        return "failing" if self.failures or self.forbidden else "ok"

    @property
    def halted(self) -> bool:
        """Tell whether it is not called again before an operator resumes it."""
        return self.refused_at is not None or self.held_at is not None

    def half_open(self, now: datetime) -> bool:
        """Tell whether its rest is over, and nobody is finding out yet whether it is well again."""
        return self.state(now) == "trying" and (self.probe_until is None or self.probe_until <= now)

    def words(self, now: datetime) -> str:
        """Say what the state means: until when, and because of what; empty when all is well."""
        state = self.state(now)
        if state == "ok":
            return ""
        why = self.why or "an answer failed"
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
        return f"paused but for one call that tries it, because {why}"


_ALL = select(health).order_by(health.c.connection)


def by_name(tx: Tx) -> dict[str, Health]:
    """Give the health of every connection that ever had trouble."""
    rows = tx.execute(_ALL).mappings()
    return {row["connection"]: Health(**row) for row in rows}


def get(tx: Tx, connection: str) -> Health:
    """Give one connection's health."""
    row = tx.execute(select(health).where(health.c.connection == connection)).mappings().first()
    return Health(**row) if row is not None else Health(connection, None, None, "", 0, None)


def closed(tx: Tx, now: datetime) -> set[str]:
    """Give the connections that must not be called now by anyone, a probe included."""
    probing = and_(health.c.opened > 0, health.c.probe_until > now)
    shut = or_(
        health.c.refused_at.is_not(None),
        health.c.held_at.is_not(None),
        health.c.paused_until > now,
        probing,
    )
    return set(tx.execute(select(health.c.connection).where(shut)).scalars())


def begin_probe(tx: Tx, connection: str, now: datetime, until: datetime) -> bool:
    """Take the one right to try a half-open connection; False when another worker has it, or it is not half-open."""
    if not get(tx, connection).half_open(now):
        return False
    free = or_(health.c.probe_until.is_(None), health.c.probe_until <= now)
    # Asked once more in the update itself: of two workers that see it free, the database lets one
    # through.
    taken = update(health).where(health.c.connection == connection, health.c.opened > 0, free)
    return bool(tx.execute(taken.values(probe_until=until)).rowcount)


def end_probe(tx: Tx, connection: str) -> None:
    """Give the right back unused: the work came to no call there."""
    tx.execute(update(health).where(health.c.connection == connection).values(probe_until=None))


def pause(
    tx: Tx, connection: str, until: datetime, why: str, *, now: datetime | None = None
) -> None:
    """Let a connection rest until then; a longer rest that was decided on before stays."""
    row = _row(tx, connection)
    if row.paused_until is None or row.paused_until < until:
        troubled = row.failures or row.opened or row.throttled or row.held_at or row.refused_at
        since = row.since if troubled else now
        why = row.why if row.held_at or row.refused_at else why
        tx.execute(_of(connection).values(paused_until=until, why=why, since=since))


def throttled(tx: Tx, connection: str, now: datetime) -> int:
    """Count an answer 429 that named no time; gives how many there were in a row before this one.

    Several calls that were under way together and are told the same count once.
    """
    row = _row(tx, connection)
    if row.paused_until is not None and row.paused_until > now:
        return max(0, int(row.throttled) - 1)
    tx.execute(_of(connection).values(throttled=row.throttled + 1))
    return int(row.throttled)


def refuse(tx: Tx, connection: str, why: str, now: datetime) -> bool:
    """Stop a connection until it is resumed; True the first time, which is when to say so."""
    _put(tx, connection)
    statement = _of(connection).where(health.c.refused_at.is_(None))
    changes = {"refused_at": now, "why": why, "since": now, "probe_until": None, "forbidden": ""}
    return bool(tx.execute(statement.values(changes)).rowcount)


def forbid(tx: Tx, connection: str, key: str, why: str, now: datetime) -> bool:
    """Note that one item was answered with 403; True when it is the second, different one in a row."""
    row = _row(tx, connection)
    if row.forbidden and row.forbidden != key:
        return True
    tx.execute(_of(connection).values(forbidden=key, why=why, since=row.since or now))
    return False


def failed(
    tx: Tx, connection: str, why: str, now: datetime, *, probe: bool = False, item: str = ""
) -> int:
    """Count a failed call; several in a row open the breaker, and a failed probe opens it for longer.

    One item that fails again and again counts once: it may be to blame itself, and its own backoff
    spares the system. Calls that were under way when the breaker opened change nothing any more.
    Gives the count.
    """
    row = _row(tx, connection)
    if row.opened and not probe:
        return int(row.failures)
    fresh = row.failed_at is None or row.failed_at + CALM + timedelta(seconds=LONGEST_REST) < now
    same = bool(item) and row.failing == item
    failures = 1 if fresh and not probe else row.failures + (0 if same and not probe else 1)
    changes: dict[str, Any] = {"failures": failures, "failed_at": now, "why": why, "failing": item}
    changes["since"] = now if not row.failures and not row.opened else row.since or now
    if probe or failures >= PATIENCE:
        until = now + timedelta(seconds=min(LONGEST_REST, 2.0 ** min(row.opened, 10)))
        known = row.paused_until
        changes |= {"opened": row.opened + 1, "probe_until": None}
        changes["paused_until"] = known if known is not None and known > until else until
    tx.execute(_of(connection).values(changes))
    return int(failures)


def worked(tx: Tx, connection: str, *, probe: bool = False) -> None:
    """Forget the troubles of a connection that answered. An open breaker is closed by its probe alone."""
    if probe:
        trouble = _of(connection).where(health.c.opened > 0)
    else:
        some = or_(health.c.failures > 0, health.c.throttled > 0, health.c.forbidden != "")
        trouble = _of(connection).where(health.c.opened == 0, some)
    still = and_(health.c.refused_at.is_(None), health.c.held_at.is_(None))
    tx.execute(trouble.where(still).values({**_WELL, "paused_until": health.c.paused_until}))


def hold(tx: Tx, connection: str, why: str, now: datetime) -> None:
    """Pause a connection until it is resumed, by an operator's word."""
    row = _row(tx, connection)
    if row.refused_at is None:
        tx.execute(_of(connection).values(held_at=now, why=why, since=now))


def resume(tx: Tx, connection: str) -> None:
    """Use the connection again, by an operator's word."""
    _put(tx, connection)
    tx.execute(_of(connection).values({**_WELL, "refused_at": None, "held_at": None}))


def _of(connection: str) -> Any:
    return update(health).where(health.c.connection == connection)


def _row(tx: Tx, connection: str) -> Any:
    """Give the row, made if there is none, for this transaction alone to change."""
    _put(tx, connection)
    return tx.execute(
        select(health).where(health.c.connection == connection).with_for_update()
    ).one()


def _put(tx: Tx, connection: str) -> None:
    tx.execute(insert(tx, health).values(connection=connection).on_conflict_do_nothing())
