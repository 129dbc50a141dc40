"""Lists tickets, the newest first, and finds those that a person describes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bridge.core.model.state import FieldState, Link
from bridge.errors import UnknownName
from bridge.ledger import links, parking
from bridge.ledger.database import Tx
from bridge.operations import masking
from bridge.operations.desk import Desk
from bridge.operations.masking import Mask
from bridge.operations.ticket_states import TicketState, states_of

PAGE_SIZE: Final = 200
"""Tickets that are looked at together: no transaction stays open over a whole ledger."""
TICKET: Final = "ticket"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the tickets of a list have in common; empty: whatever it is.

    Texts are compared without regard to case: `text` is a part of any agreed text (the subject, the
    description) or the beginning of a record's id; `email` a part of the customer's or the
    assignee's address; `tag` is a whole tag.
    """

    text: str = ""
    email: str = ""
    tag: str = ""
    state: TicketState | None = None
    sync: str = ""
    connection: str = ""
    """It has, or had, a record there."""


@dataclass(frozen=True, slots=True)
class TicketLine:
    """A ticket in a list. Its fields are the keys of `bridge tickets --json`."""

    id: str
    sync: str
    made_at: datetime
    """When the bridge met it."""
    subject: str | None
    status: str | None
    assignee: str | None
    customer: str | None
    tags: list[str]
    states: list[TicketState]
    records: dict[str, str]
    """Connection -> remote id, deleted and retired records included."""


@dataclass(frozen=True, slots=True)
class TicketPage:
    """A part of a list."""

    rows: list[TicketLine]
    after: str | None
    """Where the next part begins; None: this is the end."""


def listed(
    desk: Desk, wanted: Wanted, *, limit: int, after: str | None = None, within: int | None = None
) -> TicketPage:
    """Return the newest tickets that fit, at most `limit`, from where the last part ended.

    `within`: so many tickets are looked at and no more, for whoever cannot wait for the whole of a
    large ledger; then the part may have fewer rows, or none, and the next begins where this ended.
    A desk that masks finds nothing by a personal value: a text only in what it is shown. Raises
    NotPossible there where an address is looked for.
    Raises UnknownName for a sync that neither the files nor the ledger have, and for an `after`
    that names no ticket.
    """
    if wanted.email:
        masking.refuse_search(desk, "e-mail addresses")
    if wanted.sync and wanted.sync not in desk.config.syncs:
        _known_sync(desk, wanted.sync)
    rows: list[TicketLine] = []
    for number, (line, fits) in enumerate(_lines(desk, wanted, after), 1):
        if fits and len(rows) == limit:
            return TicketPage(rows, rows[-1].id)
        rows += [line] if fits else []
        if number == within:
            return TicketPage(rows, line.id)
    return TicketPage(rows, None)


def of_ids(desk: Desk, ids: Sequence[str]) -> list[TicketLine]:
    """Return the tickets with these ids, in their order; those that are gone are left out."""
    with desk.ledger.read() as tx:
        places = [place for each in ids if (place := links.place(tx, each)) is not None]
        return [
            _line(desk, link, made_at, parked)[0]
            for link, made_at, parked in _loaded(desk, tx, places)
        ]


def _known_sync(desk: Desk, sync: str) -> None:
    with desk.ledger.read() as tx:
        if sync not in (known := links.syncs(tx)):
            allowed = ", ".join(sorted({*known, *desk.config.syncs}))
            raise UnknownName(f"no sync {sync}; allowed: {allowed}")


def _lines(desk: Desk, wanted: Wanted, after: str | None) -> Iterator[tuple[TicketLine, bool]]:
    """Yield the tickets, the newest first, and whether each fits."""
    with desk.ledger.read() as tx:
        place = None if after is None else links.place(tx, after)
    if after is not None and place is None:
        raise UnknownName(f"no ticket has the id {after}, after which the list should go on")
    while True:
        with desk.ledger.read() as tx:
            page = links.newest(tx, TICKET, place, PAGE_SIZE, sync=wanted.sync)
            found = [
                _line(desk, link, made_at, parked)
                for link, made_at, parked in _loaded(desk, tx, page)
            ]
        yield from ((line, _fits(desk, line, link, wanted)) for line, link in found)
        if len(page) < PAGE_SIZE:
            return
        place = page[-1]


def _loaded(
    desk: Desk, tx: Tx, page: list[links.ListPlace]
) -> Iterator[tuple[Link, datetime, bool]]:
    ids = [place.link_id for place in page]
    loaded, parked = desk.context.load(tx, ids), parking.with_parked(tx, ids)
    for place in page:
        if (link := loaded.get(place.link_id)) is not None:
            yield link, place.made_at, link.id in parked


def _line(desk: Desk, link: Link, made_at: datetime, parked: bool) -> tuple[TicketLine, Link]:
    tags = link.state.get("tags", FieldState()).elements
    mask = Mask(desk.context.fields.get(link.entity, {}))

    def text(field: str) -> str | None:
        value = link.state.get(field, FieldState()).value
        shown = mask.value(field, value) if desk.masks else value
        return shown if isinstance(shown, str) else None

    names = sorted(name for name, element in tags.items() if element.present)
    line = TicketLine(
        id=link.id,
        sync=link.sync,
        made_at=made_at,
        subject=text("subject"),
        status=text("status"),
        assignee=text("assignee"),
        customer=text("customer"),
        tags=mask.value("tags", names) if desk.masks else names,
        states=states_of(link, desk.config.maps, parked=parked),
        records={name: side.remote_id for name, side in (link.sides | link.retired).items()},
    )
    return line, link


def _fits(desk: Desk, line: TicketLine, link: Link, wanted: Wanted) -> bool:
    addresses = [line.customer or "", line.assignee or ""]
    return (
        (wanted.state is None or wanted.state in line.states)
        and (not wanted.connection or wanted.connection in line.records)
        and (not wanted.tag or wanted.tag.strip().lstrip("#").casefold() in line.tags)
        and (not wanted.email or _is_part(wanted.email, addresses))
        and (not wanted.text or _has_text(desk, line, link, wanted.text))
    )


def _has_text(desk: Desk, line: TicketLine, link: Link, text: str) -> bool:
    known = desk.context.fields.get(link.entity, {})
    values = [
        masking.without_addresses(state.value) if desk.masks else state.value
        for name, state in link.state.items()
        if isinstance(state.value, str) and not (desk.masks and masking.is_personal(known, name))
    ]
    return _is_part(text, values) or any(
        remote_id.startswith(text) for remote_id in line.records.values()
    )


def _is_part(text: str, values: list[str]) -> bool:
    folded = text.strip().casefold()
    return any(folded in value.casefold() for value in values)
