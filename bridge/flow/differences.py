"""Comparing one record with what its link knows of that side, field by field."""

from __future__ import annotations

from bridge.connectors.contract import Record
from bridge.core.merge.equality import elements_of, same_raw
from bridge.core.model.state import Link
from bridge.core.model.values import Marker, Unreadable
from bridge.engine.context import Context
from bridge.flow.readings import observation


def differences(
    context: Context, link: Link, record: Record, *, full: bool
) -> tuple[list[str], bool]:
    """Return the fields in which a record differs, and whether the mapping alone explains them.

    A field differs if the record shows something else than the side's shadow.
    What only full listings show is left aside in the others. A set that has become doubtful is
    worth one look, so that the timeline says so; where no direct read shows it at all, a look would
    tell nothing.
    """
    connection = record.ref.connection
    mapped, side = context.maps[connection][link.entity], link.sides[connection]
    swept = context.capabilities[connection][link.entity].swept
    found, remapped = [], True
    for name, value in observation(record, mapped).values.items():
        rule, entry = mapped.fields[name], side.fields.get(name)
        if isinstance(value, Marker) or rule.parent or (rule.write_key in swept and not full):
            continue
        if isinstance(value, Unreadable):
            believed = (
                entry is not None and not entry.unreadable and bool(elements_of(entry.shadow))
            )
            if believed and rule.write_key not in swept:
                found.append(name)
                remapped = False
            continue
        if (
            entry is not None
            and entry.unreadable
            and entry.shown == value
            and isinstance(rule.read(value), Unreadable)
        ):
            continue  # it cannot be read, as before
        old = entry is None or entry.map_rev != rule.revision
        withheld = entry is not None and bool(entry.unreadable) and entry.shown != value
        if old or entry is None or withheld or not same_raw(rule, entry.shadow, value):
            found.append(name)
            remapped = remapped and old
    return found, bool(found) and remapped
