"""The judge's own reading of a system's records, by the row with which its sandbox describes it.

Nothing of the bridge's mappings is used here, so that a mistake in one cannot hide itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]

A_GROUP = "a group"
"""An assignee who is no person: not carried in either direction."""


@dataclass(frozen=True, slots=True)
class SystemReading:
    """How one system's records read as canonical values."""

    fields: tuple[str, ...] = ()
    """Canonical fields of a ticket that it holds. Its records have them under these names."""
    places: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Field that its records have elsewhere -> the object that has it, and the name in that."""
    reads: Mapping[str, Mapping[Any, Any]] = field(default_factory=dict)
    """Field -> the system's word -> canonical value."""
    lossy: Mapping[str, Mapping[Any, Any]] = field(default_factory=dict)
    """Field -> canonical value -> the lesser word that is all the system can hold of it."""
    never_empty: Mapping[str, Any] = field(default_factory=dict)
    """Field -> canonical value that is shown where nobody has decided."""
    marker_tag: re.Pattern[str] = re.compile("")
    """A tag by which the bridge knows a record that it made: it is nobody's edit."""
    bridge_account: str = ""
    """E-mail address under which the bridge takes tickets: whoever has that one is nobody."""

    @classmethod
    def of(cls, row: Row) -> SystemReading:
        """Return the reading that a row of the kind `system` describes."""
        return cls(
            fields=tuple(row["fields"]),
            places={name: (place[0], place[1]) for name, place in row.get("places", {}).items()},
            reads=row["reads"],
            lossy=row["lossy"],
            never_empty=row["never_empty"],
            marker_tag=re.compile(row["marker_tag"]),
            bridge_account=row["bridge_account"],
        )

    def levelled(self, record: Row) -> Row:
        """Return a record, or some fields of one, with each field under its canonical name."""
        found = dict(record)
        for name, (around, key) in self.places.items():
            if around in record:
                inner = record[around]
                found[name] = inner.get(key) if isinstance(inner, Mapping) else None
        return found

    def canonical(self, name: str, raw: Any) -> Any:
        """Return the canonical value of what a record shows in a field."""
        if name == "tags":
            tags = (str(tag).strip().removeprefix("#").casefold() for tag in raw or ())
            return frozenset(tag for tag in tags if not self.marker_tag.fullmatch(tag))
        if name == "assignee":
            return self._person(raw)
        return self.reads.get(name, {}).get(raw, raw)

    def agrees(self, name: str, wanted: Any, record: Row, *, cleared: bool = False) -> bool:
        """Return whether a record shows a value as well as the system can.

        `name` may name one element of a set (`tags:vip`; `wanted` is then whether it is there).
        `cleared`: somebody wished the field to be empty.
        """
        name, _, element = name.partition(":")
        shown = self.canonical(name, record.get(name))
        if element:
            return bool((element in shown) == wanted)
        if wanted is None and name in self.never_empty:
            return cleared or bool(shown == self.never_empty[name])
        if name == "assignee" and A_GROUP in {shown, wanted}:
            return True
        held_as = self.lossy.get(name, {}).get(wanted, wanted)
        return bool(shown == wanted or record.get(name) == held_as)

    def held_only_as(self, name: str, raw: Any) -> list[Any]:
        """Return the values that the system can only hold as this word.

        Whoever chooses the word there speaks against none of them.
        """
        return [value for value, word in self.lossy.get(name, {}).items() if word == raw]

    def _person(self, raw: Any) -> str | None:
        if not raw:
            return None
        if raw.get("type") == "role":
            return A_GROUP
        email = str((raw.get("user") or raw).get("email") or "").casefold()
        return None if self.bridge_account and email == self.bridge_account else email


def names_of_person(raw: Any) -> list[str]:
    """Return the ids by which a system's API may speak of a person; records keep more than that."""
    if not isinstance(raw, Mapping):
        return []
    return [str(raw.get("id")), f"{raw.get('type')}:{raw.get('id')}"]
