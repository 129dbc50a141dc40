"""What can be proved about a mapping before it meets a record: nothing unread, nothing unwritable, no drift."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bridge.core.mapping.compiler import CompiledEntity, CompiledField, Where
from bridge.core.mapping.transforms import CUSTOMERS_TICKET, shown
from bridge.core.model.capabilities import EntityCapabilities, Support
from bridge.core.model.values import Canonical, NotCarried, Unreadable

Finding = tuple[Where, str]


def prove(system: str, compiled: CompiledEntity, able: EntityCapabilities) -> list[Finding]:
    """Give everything that is wrong with a mapping of this system; empty: it holds."""
    found: list[Finding] = []
    for key, path in (("id", compiled.id), ("version", compiled.version)):
        if path is not None:
            found += [
                ((key,), not_sent(system, root, able))
                for root in sorted(path.roots - able.readable)
            ]
    for name, each in compiled.fields.items():
        laws = (
            *_readable(system, each, able),
            *_writable(system, each, able),
            *_values(system, each, able),
        )
        found += [
            (("fields", name, *where), what) for where, what in (*laws, *_choices(each, able))
        ]
    return found + list(_required(system, compiled, able))


def not_sent(system: str, root: str, able: EntityCapabilities) -> str:
    """Say that a system's records have no such name at their top."""
    return f"{system} sends no {shown(root)}; allowed {', '.join(sorted(able.readable))}"


def _readable(system: str, each: CompiledField, able: EntityCapabilities) -> Iterator[Finding]:
    for root in sorted(each.roots - able.readable):
        yield (), not_sent(system, root, able)


def _writable(system: str, each: CompiledField, able: EntityCapabilities) -> Iterator[Finding]:
    key = each.map.write_key
    if key is None:
        return
    if key not in able.writable:
        allowed = ", ".join(sorted(able.writable)) or "nothing"
        yield (
            (),
            f"{system} cannot write {shown(key)}; allowed {allowed} (or `read` alone, for what is only read)",
        )
        return
    if each.map.parent == CUSTOMERS_TICKET:
        yield (
            ("as",),
            f"{CUSTOMERS_TICKET} finds a ticket and names none; allowed ticket, or `read` alone",
        )
    can = able.writable[key]
    if each.only_on == "create" and not can.on_create:
        yield ("only_on",), f"{system} does not take {shown(key)} when it creates; allowed update"
    if each.only_on == "update" and can.on_update is Support.NO:
        yield ("only_on",), f"{system} never changes {shown(key)}; allowed create"
    if (
        can.max_length is not None
        and each.max_length is not None
        and each.max_length > can.max_length
    ):
        yield ("max_length",), f"{system} takes {can.max_length} characters; allowed at most that"


def _values(system: str, each: CompiledField, able: EntityCapabilities) -> Iterator[Finding]:
    """Every value that the system can send has a reading, and bringing it back changes nothing."""
    for raw in able.values.get(each.source, ()):
        value = each.map.read(raw)
        if isinstance(value, Unreadable):
            yield (
                ("read",),
                f"{system} can send {shown(raw)}, which has no reading; add it to the table",
            )
            continue
        if each.map.write_key is None:
            continue
        back = each.map.write(value)
        if not isinstance(back, NotCarried) and _reads(each, back) != value:
            yield (
                ("write",),
                f"{shown(raw)} reads as {shown(value)}, is written as {shown(back)}: another class",
            )


def _choices(each: CompiledField, able: EntityCapabilities) -> Iterator[Finding]:
    """Every canonical choice has a writing or is declared not carried; what comes back is of the same class."""
    key = each.map.write_key
    if key is None or each.field.kind != "choice":
        return
    sent = able.values.get(each.source, ()) if each.source == key else ()
    for choice in each.field.choices:
        raw = each.map.write(choice)
        if isinstance(raw, NotCarried):
            if choice not in each.not_carried:
                yield (
                    ("write",),
                    f"{shown(choice)} has no writing; add it, or list it under not_carried",
                )
            continue
        if sent and raw not in sent:
            yield (
                ("write",),
                f"{shown(choice)} is written as {shown(raw)}; allowed {', '.join(map(str, sent))}",
            )
            continue
        value = _reads(each, raw)
        if isinstance(value, Unreadable):
            yield ("write",), f"{shown(choice)} is written as {shown(raw)}, which has no reading"
        elif each.map.write(value) != raw:
            again = each.map.write(value)
            told = again.why if isinstance(again, NotCarried) else f"is written as {shown(again)}"
            yield (
                ("write",),
                f"{shown(choice)} is written as {shown(raw)}, reads as {shown(value)}, and that {told}",
            )


def _reads(each: CompiledField, raw: Any) -> Canonical | Unreadable:
    return each.map.read(raw)


def _required(system: str, compiled: CompiledEntity, able: EntityCapabilities) -> Iterator[Finding]:
    if able.creates is Support.NO:
        return
    written = {each.map.write_key for each in compiled.fields.values() if each.map.on_create}
    for key, can in sorted(able.writable.items()):
        if can.required and key not in written:
            yield (
                ("fields",),
                f"{system} creates nothing without {shown(key)}; map a field that writes it",
            )
