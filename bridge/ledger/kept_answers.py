"""Acts of programs that named a key, with the answer, so that none is done twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, select, update

from bridge.ledger.database import Tx, is_added
from bridge.ledger.tables import kept_answer


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What is known of an act."""

    request: str
    """The digest of what was asked."""
    at: datetime
    status: int | None
    """None: it is being done, or whoever did it never came to an end."""
    body: str | None
    """None: it is not known yet, or was erased."""


def begin(tx: Tx, token: str, key: str, request: str, now: datetime) -> KeptAnswer | None:
    """Note that an act begins; return what is known of it where it began before."""
    values = {"token": token, "key": key, "request": request, "at": now}
    if is_added(tx, kept_answer, values):
        return None
    columns = (kept_answer.c[name] for name in KeptAnswer.__slots__)
    found = tx.execute(select(*columns).where(_of(token, key))).mappings().one()
    return KeptAnswer(**found)


def end(tx: Tx, token: str, key: str, status: int, body: str) -> None:
    """Keep what was answered."""
    tx.execute(update(kept_answer).where(_of(token, key)).values(status=status, body=body))


def drop(tx: Tx, token: str, key: str) -> None:
    """Forget an act: it was not done, and may be asked for again."""
    tx.execute(delete(kept_answer).where(_of(token, key)))


def prune(tx: Tx, before: datetime) -> None:
    """Forget the acts that began before a time."""
    tx.execute(delete(kept_answer).where(kept_answer.c.at < before))


def erase(tx: Tx) -> None:
    """Forget every answer, but not that there was one: any may name a person."""
    tx.execute(update(kept_answer).values(body=None))


def _of(token: str, key: str) -> ColumnElement[bool]:
    return (kept_answer.c.token == token) & (kept_answer.c.key == key)
