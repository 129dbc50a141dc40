"""The webhooks that came in, what became of each, and having their records read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bridge.core.model.values import Ref
from bridge.errors import NotPossible, UnknownName
from bridge.ledger import hints, webhook_inbox
from bridge.ledger.webhook_inbox import VERDICTS, WebhookAccount
from bridge.operations.desk import Desk

__all__ = ["VERDICTS", "InboxEntry", "InboxPage", "recent", "reprocess", "show"]


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """One accepted webhook. Its fields are the keys of `bridge inbox … --json`."""

    id: int
    connection: str
    delivery_key: str
    received_at: datetime
    deliveries: int
    """How often it came."""
    headers: dict[str, str]
    projection: dict[str, Any]
    """What is kept of the body: no values that could be about a person."""
    digest: str
    event: str
    entity: str | None
    remote_id: str | None
    verdict: str
    """One of VERDICTS."""
    why: str
    settled_at: datetime | None
    body: str | None
    """The body itself, where the connection keeps bodies or the webhook is quarantined."""


@dataclass(frozen=True, slots=True)
class InboxPage:
    """A page of webhooks, the newest first, and the account of all that ever came."""

    rows: list[InboxEntry]
    account: WebhookAccount


def recent(
    desk: Desk,
    *,
    verdict: str | None = None,
    connection: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> InboxPage:
    """Return the newest webhooks; those `before` an id, for the next page. Raises UnknownName."""
    if connection is not None:
        desk.connection(connection)
    with desk.ledger.read() as tx:
        rows = webhook_inbox.recent(
            tx, verdict=verdict, connection=connection, before=before, limit=limit
        )
        return InboxPage([InboxEntry(**row) for row in rows], webhook_inbox.account(tx))


def show(desk: Desk, number: int) -> InboxEntry:
    """Return one webhook. Raises UnknownName."""
    with desk.ledger.read() as tx:
        row = webhook_inbox.get(tx, number)
    if row is None:
        raise UnknownName(f"no webhook {number}; settled ones are forgotten after a while")
    return InboxEntry(**row)


def reprocess(desk: Desk, numbers: Sequence[int]) -> None:
    """Queue a reading of the records that these webhooks named; their claims are not used.

    Raises NotPossible, and changes nothing, when one of them is gone or names no record.
    """
    with desk.acting("inbox reprocess", ", ".join(map(str, numbers))) as tx:
        for number in numbers:
            row = webhook_inbox.get(tx, number)
            if row is None:
                raise NotPossible(f"no webhook {number}; nothing was changed")
            if not row["entity"] or not row["remote_id"]:
                raise NotPossible(
                    f"webhook {number} names no record ({row['why']}); nothing was changed"
                )
            # As if a hint had come: what the body claims is not looked at.
            ref = Ref(row["connection"], row["entity"], row["remote_id"])
            hints.give(tx, ref, desk.now(), lane="operator")
