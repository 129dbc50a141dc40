"""The webhooks that came in, what became of each, and having their records read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

from bridge.core.model.values import Ref
from bridge.errors import NotPossible, UnknownName
from bridge.ledger import hints, links, outstanding_work, webhook_inbox
from bridge.ledger.outstanding_work import WaitingWork
from bridge.ledger.webhook_inbox import VERDICT_WORDS, VERDICTS, WebhookAccount
from bridge.operations.desk import Desk
from bridge.operations.masking import MASK, without_addresses, without_addresses_within

__all__ = ["VERDICTS", "InboxEntry", "InboxPage", "in_words", "recent", "reprocess", "show"]

LOOKED_AT: Final = 20_000
"""So many webhooks are looked at for one page; the next page goes on from there."""
MOST_AT_ONCE: Final = 1_000
"""So many are reprocessed by one act."""
NAMED: Final = 20
"""So many are named in the audit, one by one."""


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
    """The body itself, where the connection keeps bodies or the webhook was not understood."""


@dataclass(frozen=True, slots=True)
class InboxPage:
    """A page of webhooks, the newest first, and the account of all that ever came."""

    rows: list[InboxEntry]
    account: WebhookAccount


@dataclass(frozen=True, slots=True)
class WantedEvents:
    """Which webhooks are meant; what is empty leaves out none."""

    verdict: str = ""
    connection: str = ""
    remote_id: str = ""


@dataclass(frozen=True, slots=True)
class EventPage:
    """A page of webhooks, the newest first."""

    rows: list[InboxEntry]
    before: int | None
    """From before this id the next page goes on; None: there is none."""


@dataclass(frozen=True, slots=True)
class EventSheet:
    """One webhook, and what became of the record that it named."""

    entry: InboxEntry
    ticket: str
    """The bridge's own id of the ticket (or other record); empty: the bridge knows none."""
    waits: WaitingWork | None
    """How the reading of the record is, while that is outstanding."""


@dataclass(frozen=True, slots=True)
class ReprocessPlan:
    """What reprocessing all that fit is about."""

    numbers: list[int]
    """Of the webhooks, the newest first."""
    records: int
    """Records that are read: several webhooks may name one."""
    connections: list[str]
    nameless: int
    """Webhooks that fit and name no record: they are left out."""
    more: bool
    """More fit than are done at once."""


def listed(
    desk: Desk, wanted: WantedEvents, *, before: int | None = None, limit: int = 50
) -> EventPage:
    """Return the newest webhooks that fit; those `before` an id, for the next page."""
    with desk.ledger.read() as tx:
        rows, following = webhook_inbox.page(
            tx, **_named(wanted), before=before, limit=limit, within=LOOKED_AT
        )
    return EventPage([_shown(desk, InboxEntry(**row)) for row in rows], following)


def _named(wanted: WantedEvents) -> dict[str, str | None]:
    return {name: value or None for name, value in asdict(wanted).items()}


def sheet(desk: Desk, number: int) -> EventSheet:
    """Return one webhook and what became of it. Raises UnknownName."""
    entry = show(desk, number)
    if not entry.entity or not entry.remote_id:
        return EventSheet(entry, "", None)
    ref = Ref(entry.connection, entry.entity, entry.remote_id)
    with desk.ledger.read() as tx:
        known, waits = links.of_refs(tx, [ref]), outstanding_work.of_key(tx, hints.key(ref))
    return EventSheet(entry, known.get(ref, ""), waits)


def matching(desk: Desk, wanted: WantedEvents) -> ReprocessPlan:
    """Return what reprocessing all that fit is about, the newest MOST_AT_ONCE of them."""
    found = listed(desk, wanted, limit=MOST_AT_ONCE)
    named = [row for row in found.rows if row.entity and row.remote_id]
    return ReprocessPlan(
        numbers=[row.id for row in named],
        records=len({(row.connection, row.entity, row.remote_id) for row in named}),
        connections=sorted({row.connection for row in named}),
        nameless=len(found.rows) - len(named),
        more=found.before is not None,
    )


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
        account = webhook_inbox.account(tx)
    return InboxPage([_shown(desk, InboxEntry(**row)) for row in rows], account)


def _shown(desk: Desk, entry: InboxEntry) -> InboxEntry:
    """Return a webhook; a desk that masks is not shown what was kept of the body itself."""
    if not desk.masks:
        return entry
    body = MASK if entry.body else entry.body
    projection = without_addresses_within(entry.projection)
    return replace(entry, body=body, projection=projection, why=without_addresses(entry.why))


def show(desk: Desk, number: int) -> InboxEntry:
    """Return one webhook. Raises UnknownName."""
    with desk.ledger.read() as tx:
        row = webhook_inbox.get(tx, number)
    if row is None:
        raise UnknownName(f"no webhook {number}; settled ones are forgotten after a while")
    return _shown(desk, InboxEntry(**row))


def in_words(verdict: str) -> str:
    """Return what became of a webhook in words, with the name by which it can be asked for."""
    words = VERDICT_WORDS.get(verdict)
    return f"{words} [{verdict}]" if words else verdict


def reprocess(desk: Desk, numbers: Sequence[int]) -> None:
    """Queue a reading of the records that these webhooks named; their claims are not used.

    Raises NotPossible, and changes nothing, when one of them is gone or names no record.
    """
    with desk.acting("inbox reprocess", _subject(numbers)) as tx:
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


def _subject(numbers: Sequence[int]) -> str:
    named = ", ".join(map(str, numbers[:NAMED]))
    return named if len(numbers) <= NAMED else f"{named} and {len(numbers) - NAMED} more"
