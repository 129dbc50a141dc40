"""Laws of one member's mapping and its part in a sync: what is declared can happen, and does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any, Final

from bridge.core.model.capabilities import EntityCapabilities, Support
from bridge.core.model.syncs import Member, Sync
from bridge.core.model.values import Unreadable
from bridge.workbench.carriers import Carrier, raw_words, some
from bridge.workbench.proof_findings import ProofFinding, ProofSubject, Severity

MAX_RECORDS: Final = 1_000
"""On more records a member's `only` is not tried."""


def check_carrier(subject: ProofSubject, carrier: Carrier) -> Iterator[ProofFinding]:
    """Yield what a system cannot do of what its mapping declares for one field."""
    name, key = carrier.field.name, carrier.map.write_key
    for raw in carrier.able.values.get(carrier.declared.source, ()):
        if isinstance(carrier.map.read(raw), Unreadable):
            what = (
                f"{carrier.connection} can send {raw_words(raw)}, for which there is no row: such "
            )
            what += f"{carrier.sync.entity}s would wait"
            yield carrier.finding("reads-all", "refused", carrier.at(subject, "read"), what)
    if key is None or key not in carrier.able.writable:
        return
    never = carrier.writable.on_update is Support.NO
    if never and carrier.map.on_update and carrier.map.on_create:
        what = f"{carrier.connection} takes {name} only when it creates: an edit made elsewhere "
        what += "never arrives there; say so"
        yield carrier.finding(
            "create-only", "warning", carrier.at(subject), what, proposed="only_on: create"
        )


def check_idle(
    subject: ProofSubject, sync: Sync, by_field: Mapping[str, Sequence[Carrier]]
) -> Iterator[ProofFinding]:
    """Yield notes of the fields that travel nowhere, and of those that are never written."""
    alone: dict[str, list[Carrier]] = {}
    unwritten: dict[str, list[Carrier]] = {}
    for of_field in by_field.values():
        if len(of_field) == 1:
            alone.setdefault(of_field[0].connection, []).append(of_field[0])
            continue
        for carrier in of_field:
            if carrier.receives and not carrier.writes:
                unwritten.setdefault(carrier.connection, []).append(carrier)
    for name, found in alone.items():
        what = f"only {name} maps {_names(found)}: nothing of that travels"
        yield _note_of_member(subject, sync, name, "alone", what)
    for name, found in unwritten.items():
        what = f"{_names(found)} is written into new records alone, and the bridge makes no "
        what += f"{sync.entity} at {name}"
        yield _note_of_member(subject, sync, name, "never-written", what)


def _names(found: Sequence[Carrier]) -> str:
    return some((each.field.name for each in found), most=8)


def _note_of_member(
    subject: ProofSubject, sync: Sync, name: str, law: str, what: str
) -> ProofFinding:
    at = subject.places.in_mapping(name, sync.entity, "fields")
    return ProofFinding(law, "note", at[0], at[1], what, sync.name, sync.entity, "", (name,))


def check_keys(subject: ProofSubject, carriers: Sequence[Carrier]) -> Iterator[ProofFinding]:
    """Yield fields of one member that are written to the same place."""
    first: dict[str, Carrier] = {}
    for carrier in carriers:
        key = carrier.map.write_key
        if key is None:
            continue
        other = first.setdefault(key, carrier)
        if other is not carrier:
            one, two = other.field.name, carrier.field.name
            what = f"{one} is written to {key} as well: each would overwrite the other, and "
            what += f"{two} would read what {one} wrote"
            at = carrier.at(subject, "path")
            yield carrier.finding("one-place", "refused", at, what)


def check_required(
    subject: ProofSubject, sync: Sync, by_field: Mapping[str, Sequence[Carrier]]
) -> Iterator[ProofFinding]:
    """Yield what a member demands of a new record and does not get from the other members."""
    for carriers in by_field.values():
        for here in carriers:
            needed = here.made_here and here.map.on_create and here.map.write_key is not None
            if needed and here.writable.required:
                yield from _provided(subject, sync, here, carriers)


def _provided(
    subject: ProofSubject, sync: Sync, here: Carrier, carriers: Sequence[Carrier]
) -> Iterator[ProofFinding]:
    """Yield the members whose records would never be made here, for want of a required field."""
    name, field = here.connection, here.field.name
    if not here.receives:
        what = f"{name} makes no {sync.entity} without {field}, and the sync does not send it there"
        at = subject.places.in_syncs(sync.name, "fields", field, "to")
        to = [each for each in sync.members if each == name or each in (here.policy.to or ())]
        yield here.finding("required", "refused", at, what, proposed=f"to: [{', '.join(to)}]")
        return
    if here.map.create_from is not None:
        return
    begins = [each for each in _beginning(subject, sync) if each != name]
    showing = {each.connection for each in carriers}
    lacking = [each for each in begins if each not in showing]
    if lacking:
        what = f"{name} makes no {sync.entity} without {field}, and {some(lacking)} "
        what += f"shows none: what begins there waits, and is never made at {name}"
        severity: Severity = "refused" if len(lacking) == len(begins) else "warning"
        proposed = 'create_from: "…"' if here.field.kind == "text" else ""
        yield here.finding(
            "required", severity, here.at(subject), what, others=lacking, proposed=proposed
        )


def _beginning(subject: ProofSubject, sync: Sync) -> list[str]:
    """Return the members at which a record may begin."""
    able = {each: subject.capabilities.get(each, {}).get(sync.entity) for each in sync.members}
    return [each for each, can in able.items() if can is not None and can.originates]


def check_only(subject: ProofSubject, sync: Sync) -> Iterator[ProofFinding]:
    """Yield members whose `only` leaves out whatever the system is known to send."""
    for name, member in sync.members.items():
        able = subject.capabilities.get(name, {}).get(sync.entity)
        if able is None or member.only is None or not member.only_names:
            continue
        if not member.only_names <= able.values.keys():
            continue
        if prod(len(able.values[each]) for each in member.only_names) > MAX_RECORDS:
            continue
        taken = [member.only(record) for record in _records(able, member)]
        if not any(taken):
            at = subject.places.in_syncs(sync.name, "members", name, "only")
            listed = "; ".join(
                f"{each}: {some(able.values[each], most=8)}" for each in sorted(member.only_names)
            )
            what = f"no {sync.entity} of {name} is ever taken: it sends {listed}"
            yield ProofFinding(
                "unreachable", "warning", at[0], at[1], what, sync.name, sync.entity, "", (name,)
            )


def _records(able: EntityCapabilities, member: Member) -> Iterator[Mapping[str, Any]]:
    names = sorted(member.only_names)
    for values in product(*(able.values[name] for name in names)):
        yield dict(zip(names, values, strict=True))
