"""The people who may use the bridge's pages, each with a role."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from bridge.ledger.database import Tx, is_added
from bridge.ledger.tables import account


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One person's account."""

    name: str
    role: str
    password: str | None = field(repr=False)
    """The digest of it, with its salt and costs; None: this account has no password."""
    made_at: datetime
    disabled_at: datetime | None
    issuer: str | None = None
    """Whose provider knows them; None: none does, and they have a password or a link."""
    subject: str | None = None
    """As whom."""
    left_at: datetime | None = None
    """Since when their provider gives them no role."""


def add(
    tx: Tx,
    name: str,
    role: str,
    now: datetime,
    *,
    issuer: str | None = None,
    subject: str | None = None,
) -> bool:
    """Make an account without a password; return False where one of this name is there.

    `issuer` and `subject`: of a provider who knows them; False where one of these is there, too.
    """
    values = {"name": name, "role": role, "made_at": now, "issuer": issuer, "subject": subject}
    return is_added(tx, account, values)


def get(tx: Tx, name: str) -> AccountRow | None:
    """Return an account by its name; None when there is none."""
    row = tx.execute(select(account).where(account.c.name == name)).mappings().first()
    return None if row is None else AccountRow(**row)


def known_to(tx: Tx, issuer: str, subject: str) -> AccountRow | None:
    """Return the account of somebody whom a provider knows; None when there is none."""
    found = select(account).where(account.c.issuer == issuer, account.c.subject == subject)
    row = tx.execute(found).mappings().first()
    return None if row is None else AccountRow(**row)


def every(tx: Tx) -> list[AccountRow]:
    """Return all accounts, by name."""
    rows = tx.execute(select(account).order_by(account.c.name)).mappings()
    return [AccountRow(**row) for row in rows]


def page(tx: Tx, limit: int, after: str = "") -> list[AccountRow]:
    """Return so many accounts, by name, those behind a name."""
    found = select(account).where(account.c.name > after).order_by(account.c.name).limit(limit)
    return [AccountRow(**row) for row in tx.execute(found).mappings()]


def enabled(tx: Tx, role: str, *, locked: bool = False) -> list[AccountRow]:
    """Return who has a role and may sign in; `locked`: nobody changes that meanwhile."""
    found = select(account).where(
        account.c.role == role, account.c.disabled_at.is_(None), account.c.left_at.is_(None)
    )
    found = found.order_by(account.c.name)
    rows = tx.execute(found.with_for_update() if locked else found).mappings()
    return [AccountRow(**row) for row in rows]


def change(tx: Tx, name: str, **values: Any) -> None:
    """Set columns of an account."""
    tx.execute(update(account).where(account.c.name == name).values(values))
