"""Who is signed in to the pages: a row for each browser, found by the digest of its token."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select

from bridge.ledger.accounts import AccountRow
from bridge.ledger.database import Tx
from bridge.ledger.tables import account, web_session


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A browser in which somebody is signed in."""

    began_at: datetime
    ends_at: datetime
    address: str
    """From which it signed in."""


def begin(
    tx: Tx, digest: str, name: str, *, now: datetime, ends_at: datetime, address: str
) -> None:
    """Note that somebody has signed in from an address, until a time."""
    values = {"digest": digest, "account": name, "began_at": now, "ends_at": ends_at}
    tx.execute(web_session.insert().values(values | {"address": address}))


def account_of(tx: Tx, digest: str, now: datetime) -> AccountRow | None:
    """Return whose session it is; None when it has ended, or its account is out."""
    found = (
        select(account)
        .join(web_session, web_session.c.account == account.c.name)
        .where(web_session.c.digest == digest, web_session.c.ends_at > now)
        .where(account.c.disabled_at.is_(None), account.c.left_at.is_(None))
    )
    row = tx.execute(found).mappings().first()
    return None if row is None else AccountRow(**row)


def of_account(tx: Tx, name: str, now: datetime, limit: int) -> list[OpenSession]:
    """Return the newest sessions of an account that have not ended."""
    shown = (web_session.c.began_at, web_session.c.ends_at, web_session.c.address)
    found = select(*shown).where(web_session.c.account == name, web_session.c.ends_at > now)
    rows = tx.execute(found.order_by(web_session.c.began_at.desc()).limit(limit)).mappings()
    return [OpenSession(**row) for row in rows]


def numbers(tx: Tx, names: Collection[str], now: datetime) -> dict[str, int]:
    """Return by account how many of its sessions have not ended; those without one are left out."""
    found = (
        select(web_session.c.account, func.count())
        .where(web_session.c.account.in_(names), web_session.c.ends_at > now)
        .group_by(web_session.c.account)
    )
    return {name: number for name, number in tx.execute(found)}  # noqa: C416 - rows are no pairs


def end(tx: Tx, digest: str) -> None:
    """End one session."""
    tx.execute(delete(web_session).where(web_session.c.digest == digest))


def end_all(tx: Tx, name: str) -> int:
    """End every session of an account; return how many."""
    return tx.execute(delete(web_session).where(web_session.c.account == name)).rowcount


def prune(tx: Tx, now: datetime) -> None:
    """Forget the sessions that have ended."""
    tx.execute(delete(web_session).where(web_session.c.ends_at <= now))
