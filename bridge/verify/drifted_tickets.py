"""Tickets whose sides do not show the same in the end, and those that lack a side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from bridge.verify.evidence_index import EvidenceIndex, Ref, Row
from bridge.verify.system_reading import SystemReading

COMPARED: Final = ("subject", "status", "priority", "assignee", "tags", "team")


class Holder(NamedTuple):
    """A side of a ticket that holds the field in question."""

    connection: str
    reading: SystemReading
    record: Row


def drifted(index: EvidenceIndex) -> Iterator[tuple[str, Row]]:
    """Yield fields that the sides show differently, each as well as it can, and lost sides."""
    cleared = {edit.link: edit.new is None for edit in index.edits if edit.name == "priority"}
    for number, refs in enumerate(index.links.refs):
        present = [ref for ref in refs.items() if ref[0] in index.connections.system]
        if any(ref in index.deleted for ref in present):
            continue
        for ref in present:
            if ref not in index.finals:
                gone = {"ref": list(ref), "field": "id", "why": "the record is gone"}
                yield "drifted", gone
        fields = _differing(index, number, present, cleared=cleared.get(number, False))
        for name, values in fields:
            yield "drifted", {"refs": dict(refs), "field": name, "values": values}


def _differing(
    index: EvidenceIndex, link: int, present: Sequence[Ref], *, cleared: bool
) -> Iterator[tuple[str, Row]]:
    """Yield the fields in which the sides differ, with their values, but for open conflicts."""
    for name in COMPARED:
        if any(row.get("open") for row in index.conflicts[link, name]):
            continue
        holders = _holders(index, present, name)
        if not _agree(holders, name, cleared=cleared):
            yield name, {holder.connection: holder.record.get(name) for holder in holders}


def _holders(index: EvidenceIndex, present: Sequence[Ref], name: str) -> list[Holder]:
    return [
        Holder(ref[0], index.connections.reading[ref[0]], index.finals[ref])
        for ref in present
        if ref in index.finals
        and name in index.connections.carries[ref[0]]
        and not index.excepted("not_carried", ref, name)
    ]


def _agree(holders: Sequence[Holder], name: str, *, cleared: bool) -> bool:
    """Return whether there is a value that every holder shows as well as it can."""
    return any(
        all(
            holder.reading.agrees(name, value, holder.record, cleared=cleared) for holder in holders
        )
        for value in _candidates(holders, name)
    )


def _candidates(holders: Sequence[Holder], name: str) -> Iterator[Any]:
    """Yield what the state may be: nothing, what a side shows, what one can only hold as less."""
    yield None
    for holder in holders:
        yield holder.reading.canonical(name, holder.record.get(name))
        yield from holder.reading.lossy.get(name, ())


def unlinked(index: EvidenceIndex) -> Iterator[tuple[str, Row]]:
    """Yield tickets that a human opened and that lack a counterpart."""
    for ref, actor in index.made_by.items():
        if actor != "human" or ref[0] not in index.connections.mirrored:
            continue
        link = index.links.number_of.get(ref)
        linked = {ref[0]} if link is None else set(index.links.refs[link])
        missing = index.connections.creating - linked
        if missing and not _needs_no_counterpart(index, ref):
            yield "unlinked", {"ref": list(ref), "missing_at": sorted(missing)}


def _needs_no_counterpart(index: EvidenceIndex, ref: Ref) -> bool:
    return (
        ref in index.deleted
        or ref not in index.finals
        or any(index.excepted(kind, ref, None) for kind in ("out_of_scope", "ambiguous"))
    )
