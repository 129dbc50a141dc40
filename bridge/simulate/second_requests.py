"""Customers who write again under the same subject when their first request has ended.

Theirs is another request: it must not join the ticket that had ended, where nobody would see it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from bridge.core.model.entities import ENDED, STATUS
from bridge.core.model.state import Link
from bridge.core.model.values import Ref
from bridge.ledger import links
from bridge.sandbox.population import TicketDraft
from bridge.sandbox.vendor_app import Sandbox
from bridge.simulate.quiet import fair_weather
from bridge.simulate.stage import TICKET, Stage

LATER_SECONDS: Final = 600.0
"""From an end to the next request: more than clocks are set by in a seed."""
APART_SECONDS: Final = 2.0
"""To what is opened next: at one moment, the judge would take both for one ticket."""
ByHand = Callable[[Sandbox, Callable[[], object]], None]


@dataclass(frozen=True, slots=True)
class SecondRequest:
    """A request that came when another one of the same customer had ended."""

    ref: Ref
    ended: frozenset[Ref]
    """The records of the one that had ended."""
    seq: int
    """What is in the journals up to here was there before."""


def write_again(
    stage: Stage, by_hand: ByHand, where: str, draft: TicketDraft
) -> Iterator[SecondRequest]:
    """End a customer's request, then let the customer write to a system that has none of theirs."""
    app = stage.apps[where]
    ended = None if _is_customer(app, draft) else _end(stage, by_hand, draft)
    if ended is None or _is_customer(app, draft):
        return
    stage.clock.sleep(LATER_SECONDS)
    seq, known = _last(stage), {str(record["id"]) for record in app.tickets()}
    seeded = {**app.seeded(draft, 1, 1), STATUS: app.CHOICES[STATUS]["new"]}
    now = {name: value for name, value in seeded.items() if not name.endswith(("_at", "At"))}
    by_hand(app, partial(app.create, now))
    stage.clock.sleep(APART_SECONDS)
    for record in app.tickets():
        if str(record["id"]) not in known:
            yield SecondRequest(Ref(where, TICKET, str(record["id"])), ended, seq)


def joined_to_an_end(stage: Stage, requests: Sequence[SecondRequest]) -> Iterator[str]:
    """Yield the requests that are in one ticket with what had ended, and was not opened again."""
    for request in requests:
        changed = {
            Ref(entry.connection, TICKET, entry.id)
            for app in stage.apps.values()
            for entry in app.journal.since()
            if entry.seq > request.seq and STATUS in entry.after
        }
        link = _link_of(stage, request.ref)
        if link is None or request.ended & changed:  # a record that shows no status tells nothing
            continue
        if joined := request.ended & _refs(stage, link):
            yield f"{request.ref} joined what had ended: {', '.join(sorted(map(str, joined)))}"


def _end(stage: Stage, by_hand: ByHand, draft: TicketDraft) -> frozenset[Ref] | None:
    """End a customer's request, and wait until that is known everywhere; return its records.

    None: there is none, or not all agree that it has ended.
    """
    for connection in stage.home.drawn_connections():
        app = stage.apps[connection.name]
        for record in app.tickets():
            if app.customer_email(record) == draft.customer:
                word = app.CHOICES[STATUS]["resolved"]
                by_hand(app, partial(app.edit, str(record["id"]), {STATUS: word}))
                fair_weather(stage)
                link = _link_of(stage, Ref(app.name, TICKET, str(record["id"])))
                state = link.state.get(STATUS) if link is not None else None
                if link is None or state is None or state.candidates is not None:
                    return None
                return _refs(stage, link) if state.value in ENDED else None
    return None


def _is_customer(app: Sandbox, draft: TicketDraft) -> bool:
    return any(app.customer_email(record) == draft.customer for record in app.tickets())


def _link_of(stage: Stage, ref: Ref) -> Link | None:
    """Return the ticket that holds a record, by the name that its account has in the ledger."""
    called = Ref(stage.known_as[ref.connection], ref.entity, ref.id)
    with stage.ledger.read() as tx:
        link_id = links.of_refs(tx, [called]).get(called)
        return links.load(tx, [link_id])[link_id] if link_id is not None else None


def _refs(stage: Stage, link: Link) -> frozenset[Ref]:
    """Return a ticket's records, by their accounts."""
    accounts = {name: account for account, name in stage.known_as.items()}
    return frozenset(
        Ref(accounts[name], TICKET, side.remote_id)
        for name, side in link.live().items()
        if name in accounts and not side.detached
    )


def _last(stage: Stage) -> int:
    return max(
        (entry.seq for app in stage.apps.values() for entry in app.journal.since()), default=0
    )
