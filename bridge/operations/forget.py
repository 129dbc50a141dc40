"""Erases a person from the ledger and, where that is asked for, from systems that can do it.

Whoever asks confirms each step after `look`, which changes nothing: `delete_there`, a system at a
time, which is for good, and `erase`. The links stay, so nothing is made twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bridge.connectors import connector_class
from bridge.core.mapping import email_address
from bridge.core.model.counting import counted
from bridge.core.model.values import Ref
from bridge.errors import BridgeError, Busy, NotPossible
from bridge.ledger import erasure
from bridge.ledger.erasure import PersonalData
from bridge.operations.desk import Desk

__all__ = [
    "DeletionFailed",
    "PersonalData",
    "RecordsThere",
    "address_of",
    "check_at_rest",
    "check_connections",
    "delete_there",
    "erase",
    "look",
    "records_there",
]


class DeletionFailed(BridgeError):
    """A system did not delete one of a person's records; the ledger keeps what it has."""


@dataclass(frozen=True, slots=True)
class RecordsThere:
    """What one system has of a person."""

    connection: str
    refs: list[Ref]
    """Records that are this person's and nobody else's."""
    others: list[Ref]
    """Records that were this person's, and show another address by now: they are left alone."""


def address_of(email: str) -> str:
    """Return an e-mail address as addresses are compared. Raises NotPossible."""
    address = email_address.address_of(email)
    if not isinstance(address, str):
        raise NotPossible(f"EMAIL: {address.why}" if address else "EMAIL is no e-mail address")
    return address


def check_connections(desk: Desk, names: Iterable[str]) -> None:
    """Raise UnknownName or NotPossible unless a person can be deleted at each connection."""
    for name in names:
        system = desk.connection(name).system
        if not connector_class(system).ERASES:
            raise NotPossible(
                f"{name} ({system}) documents no erasure of a person; delete it there by hand"
            )


def look(desk: Desk, address: str) -> PersonalData:
    """Return what the ledger holds of a person."""
    with desk.ledger.read() as tx:
        return erasure.find(tx, address)


def check_at_rest(known: PersonalData) -> None:
    """Raise Busy while a write about the person is under way: what it carries is still needed."""
    if known.under_way:
        writes = counted(known.under_way, "write is", "writes are")
        raise Busy(f"{writes} under way about this person; ask again later")


def records_there(desk: Desk, connection: str, address: str, known: PersonalData) -> RecordsThere:
    """Return what a system has of the person: records that it finds, and records that we know."""
    connector = desk.connectors[connection]
    refs: dict[Ref, None] = {}
    others: list[Ref] = []
    for entity in sorted(connector.ERASES):
        refs |= dict.fromkeys(record.ref for record in connector.find_person(entity, address))
        for ref in known.refs:
            if ref in refs or (ref.connection, ref.entity) != (connection, entity):
                continue
            theirs = _shows_address(desk, ref, address)
            if theirs:
                refs[ref] = None
            elif theirs is not None:
                others.append(ref)
    return RecordsThere(connection, list(refs), others)


def _shows_address(desk: Desk, ref: Ref, address: str) -> bool | None:
    """Return whether a record shows the address now; None: it is gone, or cannot be told."""
    entity_map = desk.config.maps.get(ref.connection, {}).get(ref.entity)
    if entity_map is None:
        return None
    record = desk.connectors[ref.connection].read(ref.entity, [ref.id])[ref.id]
    if record is None:
        return None
    return entity_map.canonical(record.data).get("email") == address


def delete_there(desk: Desk, there: RecordsThere, address: str) -> int:
    """Delete a person's records at a system for good, and return how many there were.

    Raises DeletionFailed at the first that is not deleted. Asked again, what is gone is done.
    """
    name = there.connection
    detail = {"person": _digest(address), "records": len(there.refs)}
    # Before it is done: what was begun must not be missing from the audit.
    with desk.ledger.transaction() as tx:
        desk.write_down(tx, "forget: delete", name, detail)
    for number, ref in enumerate(there.refs):
        try:
            desk.connectors[name].delete(ref)
        except BridgeError as error:
            raise DeletionFailed(
                f"{error}\n{number} of {len(there.refs)} were deleted at {name}; "
                "nothing was erased from the ledger. Ask again: what is gone counts as done"
            ) from error
    return len(there.refs)


def erase(desk: Desk, address: str, deleted: Mapping[str, int]) -> dict[str, int]:
    """Erase a person from the ledger, and return how many rows of each kind were changed.

    `deleted` says how many records were deleted at which system, for the audit. Raises Busy.
    """
    with desk.ledger.transaction() as tx:
        counts = erasure.erase(tx, address, desk.now(), desk.context.fields)
        detail = {"erased": counts, "deleted": dict(deleted)}
        desk.write_down(tx, "forget", _digest(address), detail)
    return counts


def _digest(address: str) -> str:
    """Name the person without saying who it is: whoever has the address can find the entry."""
    return "sha256:" + hashlib.sha256(address.encode()).hexdigest()
