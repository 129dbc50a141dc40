"""The last calls to vendors: which were made, why, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bridge.core.model.outcome_codes import code_named
from bridge.core.model.outcome_meanings import MEANINGS
from bridge.errors import UnknownName
from bridge.ledger import vendor_calls
from bridge.ledger.vendor_calls import OUTCOMES, CallFilter, CallRow
from bridge.operations import find
from bridge.operations.desk import Desk

__all__ = ["METHODS", "OUTCOMES", "CallDetail", "CallLine", "CallPage", "WantedCalls", "listed"]

LOOKED_AT: Final = 20_000
"""So many calls are looked at for one page; the next page goes on from there."""
METHODS: Final = ("GET", "POST", "PATCH", "PUT", "DELETE")


@dataclass(frozen=True, slots=True)
class WantedCalls:
    """Which calls are meant; what is empty leaves out none."""

    connection: str = ""
    ticket: str = ""
    """A REF, as everywhere."""
    outcome: str = ""
    """One of OUTCOMES."""
    method: str = ""
    slower_than: int = 0
    """Milliseconds."""


@dataclass(frozen=True, slots=True)
class CallLine:
    """One call. Its fields are the keys of `bridge calls --json`."""

    id: int
    at: datetime
    connection: str
    ticket: str
    """The bridge's own id of it; empty: none was known, or several tickets shared the call."""
    why: str
    """A kind of work, `search`, `probe`, or `by hand`."""
    attempt: int
    """Which try of its work it was; 0: it was no work's."""
    method: str
    path: str
    status: int | None
    """Null: there was no answer."""
    ms: int
    sent_bytes: int
    received_bytes: int
    code: str
    """Its outcome code; empty: it was answered well."""
    error: str
    retry_after: float | None
    request_id: str
    """The vendor's own name for the call."""


@dataclass(frozen=True, slots=True)
class CallDetail:
    """One call with all that was kept of it."""

    call: CallLine
    sent: dict[str, str]
    """The shape of what was sent: where each value stood, its kind and length."""
    answered: dict[str, str]
    whole_path: str
    """With the query; empty where that was not kept, or is not for whoever asks."""
    sent_body: str
    answered_body: str
    hidden: bool
    """Bodies were kept, and are not for whoever asks."""


@dataclass(frozen=True, slots=True)
class CallPage:
    """A page of calls, the newest first."""

    rows: list[CallLine]
    before: int | None
    """From before this number the next page goes on; None: there is none."""


def listed(
    desk: Desk, wanted: WantedCalls, *, before: int | None = None, limit: int = 50
) -> CallPage:
    """Return the newest calls that fit; those `before` a number, for the next page.

    Raises UnknownName for a connection or a ticket that is none.
    """
    if wanted.connection:
        desk.connection(wanted.connection)
    link_id = find.named(desk, wanted.ticket).link_id if wanted.ticket else ""
    fits = CallFilter(wanted.connection, link_id, wanted.outcome, wanted.method, wanted.slower_than)
    with desk.ledger.read() as tx:
        rows, following = vendor_calls.page(tx, fits, before=before, limit=limit, within=LOOKED_AT)
    return CallPage([_line(desk, row) for row in rows], following)


def show(desk: Desk, number: int, *, personal: bool) -> CallDetail:
    """Return one call; with the bodies that were kept, if `personal` values may be seen.

    Raises UnknownName.
    """
    with desk.ledger.read() as tx:
        row = vendor_calls.get(tx, number)
    if row is None:
        raise UnknownName(f"no call {number}; calls are kept for a day, or fewer")
    kept = row.call.kept
    shown = kept if personal and not desk.masks else None
    return CallDetail(
        call=_line(desk, row),
        sent=dict(row.call.sent),
        answered=dict(row.call.answered),
        whole_path=shown.path if shown else "",
        sent_body=shown.sent if shown else "",
        answered_body=shown.answered if shown else "",
        hidden=kept is not None and shown is None,
    )


def _line(desk: Desk, row: CallRow) -> CallLine:
    call = row.call
    code = code_named(call.code) if call.code else None
    # A vendor's words repeat what they were sent: who sees no personal values is told the code's.
    words = MEANINGS[code].title if code is not None and desk.masks else call.error
    return CallLine(
        id=row.id,
        at=call.at,
        connection=call.connection,
        ticket=call.link_id or "",
        why=call.why,
        attempt=call.attempt,
        method=call.method,
        path=call.path,
        status=call.status,
        ms=call.ms,
        sent_bytes=call.sent_bytes,
        received_bytes=call.received_bytes,
        code=call.code,
        error=words,
        retry_after=call.retry_after,
        request_id=call.request_id,
    )
