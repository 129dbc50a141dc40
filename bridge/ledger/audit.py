"""The audit log: what operators did through the bridge.

Each row's digest is made of the row and of the digest before it. So whoever changes a row, takes
one out or puts one in must make all that follow anew, the newest one among them, which others may
have written down (`bridge audit verify` shows it). Rows of older versions have none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, func, select

from bridge.ledger import value_codec
from bridge.ledger.columns import as_text
from bridge.ledger.database import Tx, advisory_lock
from bridge.ledger.tables import audit

LOCK: Final = 0x6272_6964_6765_0A0D
"""One act at a time is added to the chain."""
PAGE: Final = 1000
CLOSE: Final = 200
"""Acts by which their order and that of their times may differ."""


@dataclass(frozen=True, slots=True)
class AuditChain:
    """What was found of the chain."""

    acts: int
    """So many hang together, from the first on."""
    earlier: int
    """So many were written before there was a chain."""
    broken_at: int | None
    """The first act that does not fit those before it; None: all do."""
    head: str
    """The digest of the newest act that fits; empty: there is none."""


def add(
    tx: Tx,
    *,
    actor: str,
    action: str,
    subject: str,
    at: datetime,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Record an action: who did what, on what."""
    advisory_lock(tx, LOCK)
    values = {
        "at": at,
        "actor": actor,
        "action": action,
        "subject": subject,
        "detail": dict(detail or {}),
    }
    stored = value_codec.dumps(values["detail"], lenient=True)
    newest = select(audit.c.digest).order_by(audit.c.id.desc()).limit(1)
    before = tx.execute(newest).scalar() or ""
    digest = _digest(before, at, actor, action, subject, stored)
    tx.execute(audit.insert().values(values | {"digest": digest}))


def _digest(before: str, at: datetime, *words: str) -> str:
    """Return the digest of an act as it is stored, behind the one with the digest `before`."""
    said = [before, at.astimezone(UTC).isoformat(), *map(value_codec.storable, words)]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def verify(tx: Tx) -> AuditChain:
    """Go through the whole chain, the oldest act first, and say how far it holds."""
    acts, earlier, head, after = 0, 0, "", 0
    while page := _page(tx, after):
        for row in page:
            after = row.id
            if row.digest is None and not acts:
                earlier += 1
                continue
            said = _digest(head, row.at, row.actor, row.action, row.subject, row.detail)
            if row.digest != said:
                return AuditChain(acts, earlier, row.id, head)
            acts, head = acts + 1, said
    return AuditChain(acts, earlier, None, head)


def _page(tx: Tx, after: int, limit: int = PAGE) -> list[Any]:
    columns = [as_text(each) if each.name == "detail" else each for each in audit.c]
    rows = select(*columns).where(audit.c.id > after).order_by(audit.c.id).limit(limit)
    return list(tx.execute(rows))


def verify_newest(tx: Tx, limit: int) -> AuditChain:
    """Say whether the newest acts fit one another, so many of them: the first by its word alone."""
    newest = select(audit.c.id).order_by(audit.c.id.desc()).limit(limit + 1)
    first = min(tx.execute(newest).scalars(), default=0)
    rows = _page(tx, first - 1, limit + 1)
    if len(rows) <= limit:
        return verify(tx)
    acts, head = 0, rows[0].digest or ""
    for row in rows[1:]:
        if row.digest is None and not head:
            continue  # of an older version, like the one before it
        said = _digest(head, row.at, row.actor, row.action, row.subject, row.detail)
        if row.digest != said:
            return AuditChain(acts, limit - acts, row.id, head)
        acts, head = acts + 1, said
    return AuditChain(acts, limit - acts, None, head)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What acts have in common; empty: whatever it is."""

    actor: str = ""
    action: str = ""
    """How the action's name begins: `parked` for all of `parked retry` and `parked discard`."""
    subject: str = ""
    """A part of what it was done to."""
    since: datetime | None = None
    until: datetime | None = None
    """Acts before this moment."""


ANY: Final = AuditFilter()


def recent(
    tx: Tx, limit: int = 100, *, before: int | None = None, wanted: AuditFilter = ANY
) -> list[dict[str, Any]]:
    """Return the newest acts that fit, newest first, those before an id."""
    return page(tx, limit, before=before, wanted=wanted)[0]


def page(
    tx: Tx,
    limit: int,
    *,
    before: int | None = None,
    wanted: AuditFilter = ANY,
    within: int | None = None,
) -> tuple[list[dict[str, Any]], int | None]:
    """Return what `recent` does, and the id before which the next part begins; None: it has none.

    `within`: so many acts are looked at and no more; then there may be fewer that fit, or none.
    """
    top = (tx.execute(select(func.max(audit.c.id))).scalar() or 0) + 1
    if before is not None:
        top = min(top, before)
    if wanted.until is not None:
        top = min(top, _around(tx, wanted.until)[1])
    first = _around(tx, wanted.since)[0] if wanted.since is not None else 1
    bottom = first if within is None else max(first, top - within)
    shown = (each for each in audit.c if each.name != "digest")
    newest = select(*shown).where(audit.c.id < top, audit.c.id >= bottom, *_conditions(wanted))
    found = tx.execute(newest.order_by(audit.c.id.desc()).limit(limit + 1)).mappings()
    rows = [dict(row) for row in found]
    if len(rows) > limit:
        return rows[:limit], rows[limit - 1]["id"]
    return rows, bottom if bottom > first else None


def _conditions(wanted: AuditFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.actor:
        yield audit.c.actor == wanted.actor
    if wanted.action:
        yield audit.c.action.startswith(wanted.action, autoescape=True)
    if wanted.subject:
        yield audit.c.subject.contains(wanted.subject, autoescape=True)
    if wanted.since is not None:
        yield audit.c.at >= wanted.since
    if wanted.until is not None:
        yield audit.c.at < wanted.until


def _around(tx: Tx, moment: datetime) -> tuple[int, int]:
    """Return ids between which the first act at or after a moment is: ids follow time.

    Not quite, where several machines write: CLOSE acts to each side are left for that.
    """
    low, high = 1, (tx.execute(select(func.max(audit.c.id))).scalar() or 0) + 1
    while high - low > CLOSE:
        middle = (low + high) // 2
        nearest = select(audit.c.at).where(audit.c.id >= middle).order_by(audit.c.id).limit(1)
        at = tx.execute(nearest).scalar()
        low, high = (middle, high) if at is not None and at < moment else (low, middle)
    return max(1, low - CLOSE), high + CLOSE
