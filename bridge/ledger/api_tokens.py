"""The programs that may use the API: a row for each token, found by the token's digest."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select, update

from bridge.ledger.database import Tx, is_added
from bridge.ledger.tables import api_token


@dataclass(frozen=True, slots=True)
class ApiTokenRow:
    """One program's token."""

    name: str
    digest: str = field(repr=False)
    role: str
    connections: list[str]
    """The connections that it is for; none: for the whole bridge."""
    made_at: datetime
    made_by: str
    ends_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


def add(tx: Tx, row: ApiTokenRow) -> bool:
    """Keep a new token; return False where one of this name is there."""
    values = {name: getattr(row, name) for name in row.__slots__}
    return is_added(tx, api_token, values)


def get(tx: Tx, name: str) -> ApiTokenRow | None:
    """Return a token by its name; None: there is none."""
    row = tx.execute(select(api_token).where(api_token.c.name == name)).mappings().first()
    return None if row is None else ApiTokenRow(**row)


def by_digest(tx: Tx, digest: str, now: datetime) -> ApiTokenRow | None:
    """Return the token with this digest; None: there is none, or it was revoked or is too old."""
    found = select(api_token).where(
        api_token.c.digest == digest, api_token.c.ends_at > now, api_token.c.revoked_at.is_(None)
    )
    row = tx.execute(found).mappings().first()
    return None if row is None else ApiTokenRow(**row)


def every(tx: Tx) -> list[ApiTokenRow]:
    """Return all tokens by name, those that are good no more among them."""
    rows = tx.execute(select(api_token).order_by(api_token.c.name)).mappings()
    return [ApiTokenRow(**row) for row in rows]


def used(tx: Tx, name: str, now: datetime) -> None:
    """Note that a token was used."""
    tx.execute(update(api_token).where(api_token.c.name == name).values(used_at=now))


def revoke(tx: Tx, name: str, now: datetime) -> None:
    """Let nobody in with a token any more."""
    tx.execute(update(api_token).where(api_token.c.name == name).values(revoked_at=now))


def rename_connection(tx: Tx, old: str, new: str) -> int:
    """Have tokens that are for a connection be for its new name; return how many those are."""
    changed = 0
    for row in every(tx):
        if old in row.connections:
            names = sorted({new if name == old else name for name in row.connections})
            tx.execute(
                update(api_token).where(api_token.c.name == row.name).values(connections=names)
            )
            changed += 1
    return changed
