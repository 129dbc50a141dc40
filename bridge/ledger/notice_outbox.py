"""The outbox of notices: what other programs are told, the way to each endpoint, and how it went.

A notice is written in the transaction that marks what it tells of, with a sending for each endpoint
that wants it. So a process that dies in between tells nothing twice, and forgets nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, and_, delete, func, or_, select, update

from bridge.core.model.notice_types import NoticeType
from bridge.ledger.database import Tx, advisory_lock, insert
from bridge.ledger.notice_tables import notice, notice_endpoint, notice_sending, notice_told

WAITING: Final = "waiting"
DELIVERED: Final = "delivered"
FAILED: Final = "failed"
"""It was tried as often as is tried, or the endpoint said that it is gone."""
STATES: Final = (WAITING, DELIVERED, FAILED)
_TURN: Final = 0x6E6F_7469_6365
"""An advisory lock's number (the letters "notice"): one clock writes notices at a time."""


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """How the calls to an endpoint went."""

    name: str
    address: str
    """A digest of the address: another one begins anew."""
    since: datetime
    succeeded_at: datetime | None
    failed_at: datetime | None
    failing_since: datetime | None
    failures: int
    """In a row."""
    why: str
    gone_at: datetime | None
    """Since when nothing is sent, for it answered 410."""


@dataclass(frozen=True, slots=True)
class ClaimedSending:
    """A notice that one process sends to one endpoint now."""

    id: int
    notice: str
    kind: str
    at: datetime
    data: dict[str, Any]
    attempts: int
    """Tries before this one."""


@dataclass(frozen=True, slots=True)
class SendingRow:
    """The way of a notice to an endpoint."""

    id: int
    notice: str
    """Its id, which the endpoint gets as `webhook-id`."""
    kind: str
    connection: str
    at: datetime
    endpoint: str
    state: str
    attempts: int
    due_at: datetime
    tried_at: datetime | None
    status: int | None
    outcome: str
    data: dict[str, Any]


def take_turn(tx: Tx) -> None:
    """Wait until no other clock writes notices; the turn is over with the transaction."""
    advisory_lock(tx, _TURN)


def declare(tx: Tx, addresses: Mapping[str, str], now: datetime) -> None:
    """Have exactly these endpoints (name -> digest of the address).

    What waits for another is dropped with it. An endpoint whose address changed begins anew.
    """
    known = endpoints(tx)
    gone = known.keys() - addresses.keys()
    if gone:
        of = notice_sending.c.endpoint.in_(gone), notice_sending.c.state == WAITING
        tx.execute(delete(notice_sending).where(*of))
        tx.execute(delete(notice_endpoint).where(notice_endpoint.c.name.in_(gone)))
    for name, address in addresses.items():
        row = known.get(name)
        if row is None:
            new = {"name": name, "address": address, "since": now, "failures": 0, "why": ""}
            tx.execute(insert(tx, notice_endpoint).values(new).on_conflict_do_nothing())
        elif row.address != address:
            anew = {"address": address, "failing_since": None, "failures": 0, "gone_at": None}
            tx.execute(_of_endpoint(name).values(anew | {"why": ""}))
    if not addresses:
        tx.execute(delete(notice_told))


def endpoints(tx: Tx) -> dict[str, EndpointRow]:
    """Return how the calls to each endpoint went, by name."""
    rows = tx.execute(select(notice_endpoint).order_by(notice_endpoint.c.name)).mappings()
    return {row["name"]: EndpointRow(**row) for row in rows}


def add(
    tx: Tx,
    chance: str,
    kind: NoticeType,
    connection: str,
    data: Mapping[str, Any],
    wanted_by: Collection[str],
    now: datetime,
) -> str:
    """Write a notice down, with a sending for each endpoint that wants it; return its id.

    `chance`: of what that is made, 32 characters at most.
    """
    values = {
        "id": f"msg_{chance}",
        "kind": str(kind),
        "connection": connection,
        "at": now,
        "data": dict(data),
    }
    number = tx.execute(notice.insert().values(values).returning(notice.c.number)).scalar_one()
    sendings = [
        {
            "notice": number,
            "endpoint": name,
            "state": WAITING,
            "attempts": 0,
            "due_at": now,
            "outcome": "",
        }
        for name in wanted_by
    ]
    tx.execute(notice_sending.insert(), sendings)
    return str(values["id"])


def told(tx: Tx, kind: str) -> dict[tuple[str, str], tuple[str, datetime]]:
    """Return what was told last of what lasts: by connection and subject the state, and when."""
    rows = tx.execute(select(notice_told).where(notice_told.c.kind == kind))
    return {(row.connection, row.subject): (row.state, row.at) for row in rows}


def tell(tx: Tx, kind: str, connection: str, subject: str, state: str, now: datetime) -> None:
    """Note that a state was told."""
    values = {"state": state, "at": now}
    named = {"kind": kind, "connection": connection, "subject": subject}
    statement = insert(tx, notice_told).values(named | values)
    keys = ["kind", "connection", "subject"]
    tx.execute(statement.on_conflict_do_update(index_elements=keys, set_=values))


def untell(tx: Tx, kind: str, over: Iterable[tuple[str, str]] | None = None) -> None:
    """Forget what was told of these connections and subjects, or of all; it would be told anew."""
    of_kind = delete(notice_told).where(notice_told.c.kind == kind)
    if over is None:
        tx.execute(of_kind)
        return
    for connection, subject in over:
        of = (notice_told.c.connection == connection, notice_told.c.subject == subject)
        tx.execute(of_kind.where(*of))


def is_due(tx: Tx, endpoint: str, now: datetime) -> bool:
    """Return whether anything is to be sent to an endpoint now."""
    return tx.execute(_due(endpoint, now).limit(1)).first() is not None


def claim(
    tx: Tx, endpoint: str, owner: str, now: datetime, until: datetime
) -> ClaimedSending | None:
    """Claim the sending that is due first; None: there is none, or others are at it."""
    first = _due(endpoint, now).order_by(notice_sending.c.due_at, notice_sending.c.id).limit(1)
    row = tx.execute(first.with_for_update(skip_locked=True, of=notice_sending)).first()
    if row is None:
        return None
    mine = {"claimed_by": owner, "claimed_until": until}
    tx.execute(update(notice_sending).where(notice_sending.c.id == row.id).values(mine))
    return ClaimedSending(row.id, row.notice_id, row.kind, row.at, row.data, row.attempts)


def _due(endpoint: str, now: datetime) -> Select[Any]:
    sending = notice_sending.c
    return (
        select(
            sending.id,
            sending.attempts,
            notice.c.id.label("notice_id"),
            notice.c.kind,
            notice.c.at,
            notice.c.data,
        )
        .join(notice, notice.c.number == sending.notice)
        .join(notice_endpoint, notice_endpoint.c.name == sending.endpoint)
        .where(
            sending.endpoint == endpoint,
            sending.state == WAITING,
            sending.due_at <= now,
            or_(sending.claimed_until.is_(None), sending.claimed_until <= now),
            notice_endpoint.c.gone_at.is_(None),
        )
    )


def tried(
    tx: Tx,
    claimed: ClaimedSending,
    owner: str,
    now: datetime,
    *,
    state: str,
    status: int | None,
    outcome: str,
    due_at: datetime,
) -> bool:
    """Store how a try went; False: the claim ran out, and another process is at it."""
    changes = {
        "state": state,
        "attempts": claimed.attempts + 1,
        "due_at": due_at,
        "tried_at": now,
        "status": status,
        "outcome": outcome,
        "claimed_by": None,
        "claimed_until": None,
    }
    mine = (notice_sending.c.id == claimed.id, notice_sending.c.claimed_by == owner)
    return bool(tx.execute(update(notice_sending).where(*mine).values(changes)).rowcount)


def succeeded(tx: Tx, endpoint: str, now: datetime) -> None:
    """Note that an endpoint took a notice."""
    well = {"succeeded_at": now, "failing_since": None, "failures": 0, "why": "", "gone_at": None}
    tx.execute(_of_endpoint(endpoint).values(well))


def failed(tx: Tx, endpoint: str, why: str, now: datetime, *, gone: bool = False) -> None:
    """Note that an endpoint did not take a notice; `gone`: it wants none any more."""
    changes = {
        "failed_at": now,
        "failing_since": func.coalesce(notice_endpoint.c.failing_since, now),
        "failures": notice_endpoint.c.failures + 1,
        "why": why,
    }
    tx.execute(_of_endpoint(endpoint).values(changes | ({"gone_at": now} if gone else {})))


def _of_endpoint(name: str) -> Any:
    return update(notice_endpoint).where(notice_endpoint.c.name == name)


def counts(tx: Tx) -> dict[str, dict[str, int]]:
    """Count what waits for each endpoint and what was given up, by endpoint and state."""
    by = (notice_sending.c.endpoint, notice_sending.c.state)
    found: dict[str, dict[str, int]] = {}
    for state in (WAITING, FAILED):  # each has an index of its own
        rows = select(*by, func.count()).where(notice_sending.c.state == state).group_by(*by)
        for endpoint, name, count in tx.execute(rows):
            found.setdefault(endpoint, {})[name] = count
    return found


def listed(
    tx: Tx,
    endpoint: str,
    *,
    state: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[SendingRow]:
    """Return the sendings of an endpoint, the newest first; those before a number."""
    rows = _SENDINGS.where(notice_sending.c.endpoint == endpoint)
    if state is not None:
        rows = rows.where(notice_sending.c.state == state)
    if before is not None:
        rows = rows.where(notice_sending.c.id < before)
    newest = tx.execute(rows.order_by(notice_sending.c.id.desc()).limit(limit))
    return [_sending(row) for row in newest]


_SENDINGS = select(
    notice_sending,
    notice.c.id.label("notice_id"),
    notice.c.kind,
    notice.c.connection,
    notice.c.at,
    notice.c.data,
).join(notice, notice.c.number == notice_sending.c.notice)


def _sending(row: Row[Any]) -> SendingRow:
    return SendingRow(
        id=row.id,
        notice=row.notice_id,
        kind=row.kind,
        connection=row.connection,
        at=row.at,
        endpoint=row.endpoint,
        state=row.state,
        attempts=row.attempts,
        due_at=row.due_at,
        tried_at=row.tried_at,
        status=row.status,
        outcome=row.outcome,
        data=row.data,
    )


def failed_ids(tx: Tx, endpoint: str, since: datetime | None, limit: int) -> list[int]:
    """Return the newest sendings that were given up, of notices since then."""
    rows = select(notice_sending.c.id).where(
        notice_sending.c.endpoint == endpoint, notice_sending.c.state == FAILED
    )
    if since is not None:
        newer = and_(notice.c.number == notice_sending.c.notice, notice.c.at >= since)
        rows = rows.join(notice, newer)
    return list(tx.execute(rows.order_by(notice_sending.c.id.desc()).limit(limit)).scalars())


def send_again(tx: Tx, endpoint: str, ids: Collection[int], now: datetime) -> int:
    """Have sendings tried again as if for the first time; return how many there are.

    The endpoint counts as there again, if it had said that it is gone.
    """
    anew = {"state": WAITING, "attempts": 0, "due_at": now, "claimed_until": None}
    of = (notice_sending.c.endpoint == endpoint, notice_sending.c.id.in_(list(ids)))
    done = tx.execute(update(notice_sending).where(*of).values(anew)).rowcount
    if done:
        call_again(tx, endpoint)
    return int(done)


def prune(tx: Tx, before: datetime, limit: int) -> int:
    """Forget the oldest notices, if they are from before a time, however they went; how many."""
    oldest = select(notice.c.number, notice.c.at).order_by(notice.c.number).limit(limit)
    numbers = [row.number for row in tx.execute(oldest) if row.at < before]
    if numbers:
        tx.execute(delete(notice).where(notice.c.number.in_(numbers)))
    return len(numbers)


def call_again(tx: Tx, endpoint: str) -> None:
    """Let an endpoint be called that had said that it is gone."""
    tx.execute(_of_endpoint(endpoint).values(gone_at=None))


def not_of(tx: Tx, endpoint: str, ids: Collection[int]) -> list[int]:
    """Return those of the sendings that are none of this endpoint."""
    of = select(notice_sending.c.id).where(
        notice_sending.c.endpoint == endpoint, notice_sending.c.id.in_(list(ids))
    )
    return sorted(set(ids) - set(tx.execute(of).scalars()))
