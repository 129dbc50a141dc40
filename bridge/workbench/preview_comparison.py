"""One record under two mappings, side by side: what it reads as, and what the others are sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bridge.core.model.values import Canonical, Raw
from bridge.workbench.record_preview import FieldReading, FieldWriting, RecordPreview


@dataclass(frozen=True, slots=True)
class ComparedCell:
    """What one mapping makes of a field."""

    value: Raw | Canonical | None
    why: str = ""
    """Why there is no value; empty: there is one."""


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One field under both mappings."""

    field: str
    at: str
    """The line of the mapping that is tried; of the one in force where the other has none."""
    shows: Raw | None
    """What the record shows; of what is sent: None."""
    before: ComparedCell | None
    """None: that mapping does not have the field."""
    after: ComparedCell | None
    key: str = ""
    """Where it is sent."""
    in_new: bool = False
    """It is about a new record, of which the two say otherwise than of a change."""

    @property
    def changed(self) -> bool:
        """Return whether the two say another thing."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class ComparedRecord:
    """One record under both mappings."""

    name: str
    before: RecordPreview
    after: RecordPreview
    readings: list[ComparedRow]
    writings: Mapping[str, list[ComparedRow]]
    """By connection: the other members of the sync."""

    @property
    def changes(self) -> int:
        """Return of how many fields the two say another thing."""
        rows = [*self.readings, *(row for rows in self.writings.values() for row in rows)]
        return sum(row.changed for row in rows)


def compared(name: str, before: RecordPreview, after: RecordPreview) -> ComparedRecord:
    """Return two previews of a record side by side."""
    members = dict.fromkeys([*after.writings, *before.writings])
    return ComparedRecord(
        name,
        before,
        after,
        _readings(before.readings, after.readings),
        {
            member: _writings(before.writings.get(member, []), after.writings.get(member, []))
            for member in members
        },
    )


def _readings(before: Sequence[FieldReading], after: Sequence[FieldReading]) -> list[ComparedRow]:
    old, new = ({each.field: each for each in rows} for rows in (before, after))
    found: list[ComparedRow] = []
    for name in dict.fromkeys([*new, *old]):
        of = new[name] if name in new else old[name]
        found.append(ComparedRow(name, of.at, of.shows, _read(old.get(name)), _read(new.get(name))))
    return found


def _read(each: FieldReading | None) -> ComparedCell | None:
    return None if each is None else ComparedCell(each.reads, each.why)


def _writings(before: Iterable[FieldWriting], after: Iterable[FieldWriting]) -> list[ComparedRow]:
    old, new = ({each.field: each for each in rows} for rows in (before, after))
    found: list[ComparedRow] = []
    for name in dict.fromkeys([*new, *old]):
        of = new[name] if name in new else old[name]
        update = ComparedRow(
            name, of.at, None, _updated(old.get(name)), _updated(new.get(name)), of.key
        )
        made = ComparedRow(
            name, of.at, None, _made(old.get(name)), _made(new.get(name)), of.key, in_new=True
        )
        found.append(update)
        if made.changed and (made.before, made.after) != (update.before, update.after):
            found.append(made)
    return found


def _updated(each: FieldWriting | None) -> ComparedCell | None:
    return None if each is None else ComparedCell(each.on_update, each.update_why)


def _made(each: FieldWriting | None) -> ComparedCell | None:
    return None if each is None else ComparedCell(each.on_create, each.create_why)
