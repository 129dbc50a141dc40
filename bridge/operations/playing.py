"""Playing a user at the sandboxes: what can be done there, doing it, and watching it travel.

Who plays the vendors is handed in: there is nobody where the bridge runs against real systems.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from bridge.errors import NotPossible, UnknownName
from bridge.operations import ticket_cells
from bridge.operations.desk import Desk
from bridge.operations.ticket_cells import TicketSheet

LONGEST_TEXT: Final = 500
RECORDS: Final = 8
"""So many of a system's records are offered, the newest."""
HAPPENED: Final = 40
"""So much of what happened is shown, the newest."""


@dataclass(frozen=True, slots=True)
class PlayDeed:
    """Something that people can do with a record."""

    name: str
    label: str
    choices: Mapping[str, str]
    """What they choose from: value -> how it is called; empty: they write a text."""


@dataclass(frozen=True, slots=True)
class PlayedRecord:
    """A record of a sandbox."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class PlayedStep:
    """Something that happened at a sandbox."""

    order: int
    """Over all sandboxes."""
    at: datetime
    connection: str
    by_bridge: bool
    text: str


class VendorStage(Protocol):
    """The sandboxes, as their users have them."""

    def connections(self) -> Sequence[str]:
        """Return the connections that lead to sandboxes."""

    def deeds(self, connection: str) -> Sequence[PlayDeed]:
        """Return what people can do at a connection."""

    def records(self, connection: str, limit: int) -> Sequence[PlayedRecord]:
        """Return the newest records of a connection."""

    def play(self, connection: str, record_id: str, deed: PlayDeed, given: str) -> None:
        """Do something as somebody there would. Raises NotPossible."""

    def happened(self, records: Mapping[str, str], limit: int) -> Sequence[PlayedStep]:
        """Return what happened to records, by connection, the newest first."""


@dataclass(frozen=True, slots=True)
class PlayedTicket:
    """A record that is played with, its ticket, and what happened on each side."""

    ticket: TicketSheet | None
    """None: the bridge has not met the record (yet)."""
    steps: Sequence[PlayedStep]


def known(stage: VendorStage, connection: str) -> str:
    """Return a connection that leads to a sandbox, the first where none is named.

    Raises UnknownName.
    """
    names = stage.connections()
    if connection not in (*names, "") or not names:
        raise UnknownName(f"no sandbox behind {connection}; allowed: {', '.join(names)}")
    return connection or names[0]


def watch(desk: Desk, stage: VendorStage, connection: str, record_id: str) -> PlayedTicket:
    """Return how a record stands on all sides, and what happened there. Raises UnknownName."""
    known(stage, connection)
    try:
        ticket = ticket_cells.sheet(desk, f"{connection}:{record_id}")
    except UnknownName:
        ticket = None
    records = {connection: record_id}
    if ticket is not None:
        records |= {each.connection: each.remote_id for each in ticket.columns}
    return PlayedTicket(ticket, stage.happened(records, HAPPENED))


def play(
    desk: Desk, stage: VendorStage, connection: str, record_id: str, name: str, given: str
) -> PlayDeed:
    """Do something as somebody at a sandbox would, and return what it was.

    Raises UnknownName for the connection, the deed and a choice that is none; NotPossible for what
    the sandbox refuses.
    """
    known(stage, connection)
    deeds = {deed.name: deed for deed in stage.deeds(connection)}
    deed = deeds.get(name)
    if deed is None:
        raise UnknownName(f"nobody can do {name} at {connection}; allowed: {', '.join(deeds)}")
    text = given.strip()[:LONGEST_TEXT]
    if deed.choices and text not in deed.choices:
        raise UnknownName(f"no {name} {text} at {connection}; allowed: {', '.join(deed.choices)}")
    if not text:
        raise NotPossible(f"write what the {deed.label} is to be")
    stage.play(connection, record_id, deed, text)
    with desk.acting("played", f"{connection}:{record_id}", {"deed": name}):
        pass
    return deed
