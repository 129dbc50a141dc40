"""Checks of a mapping before it meets a record: everything read, everything writable, no drift.

They need no record, only the mapping and what the system declares that it can do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bridge.core.mapping.compiler import CompiledEntity, CompiledField
from bridge.core.mapping.doors import write_keys
from bridge.core.mapping.transforms import CUSTOMERS_TICKET
from bridge.core.mapping.value_tables import Problem
from bridge.core.model.capabilities import Door, EntityCapabilities, Support
from bridge.core.model.values import NotCarried, Unreadable, shown


def prove(system: str, compiled: CompiledEntity, able: EntityCapabilities) -> list[Problem]:
    """Return everything that is wrong with a mapping of this system; empty: it holds."""
    doors = {key: door for key in write_keys(compiled.map) if (door := able.door_of(key))}
    able = able.with_names(compiled.also_sends).through_doors(doors)
    problems: list[Problem] = []
    for key, path in (("id", compiled.id), ("version", compiled.version)):
        if path is not None:
            roots = sorted(path.roots - able.readable)
            problems += [((key,), not_sent(system, root, able)) for root in roots]
    for name, field in compiled.fields.items():
        of_field = (
            *_reads_what_is_sent(system, field, able),
            *_writes_what_is_taken(system, field, able),
            *_fits_the_door(system, field, doors),
            *_reads_every_value(system, compiled.map.entity, field, able),
            *_writes_every_choice(field, able),
        )
        problems += [(("fields", name, *where), what) for where, what in of_field]
    return [*problems, *_writes_what_is_required(system, compiled, able)]


def not_sent(system: str, root: str, able: EntityCapabilities) -> str:
    """Return the message that a system's records have no such name at their top."""
    return f"{system} sends no {shown(root)}; allowed {', '.join(sorted(able.readable))}"


def _reads_what_is_sent(
    system: str, field: CompiledField, able: EntityCapabilities
) -> Iterator[Problem]:
    """Every name that is read is one that the system sends."""
    for root in sorted(field.roots - able.readable):
        yield (), not_sent(system, root, able)


def _writes_what_is_taken(
    system: str, field: CompiledField, able: EntityCapabilities
) -> Iterator[Problem]:
    """Where and when a value is sent, the system takes it."""
    key = field.map.write_key
    if key is None:
        return
    writable = able.writable.get(key)
    if writable is None:
        only_read = "(or `read` alone, for what is only read)"
        yield (), f"{system} cannot write {shown(key)}; allowed {able.write_places} {only_read}"
        return
    if field.map.parent == CUSTOMERS_TICKET:
        what = "finds a ticket and names none; allowed ticket, or `read` alone"
        yield ("as",), f"{CUSTOMERS_TICKET} {what}"
    if field.only_on == "create" and not writable.on_create:
        yield ("only_on",), f"{system} does not take {shown(key)} when it creates; allowed update"
    if field.only_on == "update" and writable.on_update is Support.NO:
        yield ("only_on",), f"{system} never changes {shown(key)}; allowed create"
    longest = writable.max_length
    if longest is not None and field.max_length is not None and field.max_length > longest:
        yield ("max_length",), f"{system} takes {longest} characters; allowed at most that"


def _fits_the_door(
    system: str, field: CompiledField, doors: Mapping[str, Door]
) -> Iterator[Problem]:
    """What is sent through a door is of a kind that can be kept behind it."""
    door = doors.get(field.map.write_key or "")
    refused = sorted(set(field.sends) - set(door.takes)) if door is not None else []
    if door is not None and refused:
        what = f"{', '.join(refused)} cannot be kept there by {system}"
        yield ("path",), f"{what}; allowed {', '.join(door.takes)}"


def _reads_every_value(
    system: str, entity: str, field: CompiledField, able: EntityCapabilities
) -> Iterator[Problem]:
    """Every value that the system can send has a reading, and bringing it back changes nothing."""
    for raw in able.values.get(field.source, ()):
        value = field.map.read(raw)
        if isinstance(value, Unreadable):
            what = (
                f"{system} can send {shown(raw)}, which has no row; add {shown(raw)}: … to `read`"
            )
            yield ("read",), what
            continue
        if field.map.write_key is None:
            continue
        back = field.map.write(value)
        if not isinstance(back, NotCarried) and field.map.read(back) != value:
            again = field.map.read(back)
            reads = "has no row" if isinstance(again, Unreadable) else f"reads as {shown(again)}"
            what = f"{shown(raw)} reads as {shown(value)}, is written as {shown(back)}, which "
            what += f"{reads}: a {entity} would lose its {field.field.name}; "
            yield ("write",), f"{what}write {shown(value)} as {shown(raw)}"


def _writes_every_choice(field: CompiledField, able: EntityCapabilities) -> Iterator[Problem]:
    """Every canonical choice has a writing or is declared not carried; it comes back as itself."""
    key = field.map.write_key
    if key is None or field.field.kind != "choice":
        return
    known = able.values.get(field.source, ()) if field.source == key else ()
    for choice in field.field.choices:
        raw = field.map.write(choice)
        if not isinstance(raw, NotCarried):
            why = _why_no_writing(field, raw, known)
            if why:
                yield ("write",), f"{shown(choice)} is written as {shown(raw)}{why}"
        elif choice not in field.not_carried:
            what = f"{shown(choice)} has no row; add {choice}: …, or list it under not_carried"
            yield ("write",), what


def _why_no_writing(field: CompiledField, raw: object, known: tuple[object, ...]) -> str:
    """Return why a canonical choice must not be written as this raw value; empty if it may."""
    if known and raw not in known:
        return f"; allowed {', '.join(map(str, known))}"
    value = field.map.read(raw)
    if isinstance(value, Unreadable):
        return ", for which `read` has no row; add it there"
    again = field.map.write(value)
    if again == raw:
        return ""
    how = again.why if isinstance(again, NotCarried) else f"that is written as {shown(again)}"
    rather = f"write {shown(value)} as {shown(raw)}, too"
    return f", which reads as {shown(value)}, and {how}; {rather}"


def _writes_what_is_required(
    system: str, compiled: CompiledEntity, able: EntityCapabilities
) -> Iterator[Problem]:
    """A system that creates is given everything that it requires of a new record."""
    if able.creates is Support.NO:
        return
    written = {field.map.write_key for field in compiled.fields.values() if field.map.on_create}
    for key, writable in sorted(able.writable.items()):
        if writable.required and key not in written:
            what = f"{system} creates nothing without {shown(key)}; map a field that writes it"
            yield ("fields",), what
