"""Fields in vendors' records that neither the connector's document nor the mapping names.

They are noted as records are read: a name, how often it came, and the shape of its values. Names at
the top of a record are looked at, and those behind a door; nothing deeper. What a hostile vendor
sends is bounded: so many names of a record, so many of a connection, all others under one name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from bridge.core.mapping.fieldmap import EntityMap
from bridge.core.mapping.value_shapes import ValueShape, in_words, may_be_shown
from bridge.core.model.capabilities import EntityCapabilities
from bridge.core.model.entities import Field
from bridge.core.model.outcome_codes import Code
from bridge.core.model.state import Side
from bridge.core.model.syncs import IGNORE
from bridge.core.model.values import shown as words_of

FIELD: Final = "field"
VALUE: Final = "value"
"""The two kinds of what is noted: a field that no file knows, a value that a policy ignores."""
MAX_NAMES: Final = 100
"""Of one connection."""
MAX_IN_RECORD: Final = 50
"""Unknown names of one record that are looked at; a record that has more is searched no further."""
OTHERS: Final = "*"
"""Stands for all names that are too many, too long, or of another form than names have."""
SOON: Final = timedelta(seconds=3)
"""A name that is new is stored within this, when records are read."""
SELDOM: Final = timedelta(seconds=30)
"""Counts are stored as often as this."""
_NAME: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$ .:/-]{0,59}")
_MANY_DIGITS: Final = re.compile(r"\d{5}")

OFTEN: Final = 25
"""So many values of a name are looked at, each of them; after that ..."""
ONE_IN: Final = 16
"""... one in so many, unless words are known that may have to be given up."""

Place = tuple[str, str, str, str, str]
"""Connection, entity, FIELD or VALUE, the field, and of a VALUE what may be said of it."""


@dataclass(slots=True)
class Sighting:
    """What was noted of one place since it was stored last."""

    count: int
    first_at: datetime
    last_at: datetime
    shape: ValueShape = field(default_factory=ValueShape)
    """Of all values that were looked at, also before."""
    looked_at: int = 0
    """Values that were looked at."""

    def add(self, name: str, value: Any, record_id: str, at: datetime) -> None:
        """Count one more record. Of values that came often, one in many is looked at."""
        self.count += 1
        self.last_at = max(self.last_at, at)
        if self.looked_at < OFTEN or self.shape.words or not self.count % ONE_IN:
            self.looked_at += 1
            self.shape.add(name, value, record_id)


@dataclass(frozen=True, slots=True)
class KnownParts:
    """What is known of one entity of a connection."""

    top: frozenset[str]
    behind: tuple[tuple[str, frozenset[str]], ...]
    """Each door with the names behind it that are known."""
    ignoring: tuple[tuple[Field, bool], ...]
    """Fields of which values without a reading are ignored, each with whether it has a table."""

    @classmethod
    def of(
        cls, able: EntityCapabilities, mapped: EntityMap | None, fields: Mapping[str, Field]
    ) -> KnownParts:
        """Return the names that a connector's document and a mapping have."""
        maps = {} if mapped is None else mapped.fields
        read = [source for each in maps.values() for source in each.sources]
        doors = []
        for door, declared in able.doors.items():
            if any(reads_whole(door, source) for source in read):
                continue
            written = (key.removeprefix(f"{door}.") for key in able.writable if key != door)
            names = {*declared.reserved, *written}
            for source in read:
                names.update(names_behind(door, source))
            doors.append((door, frozenset(names)))
        ignoring = [
            (fields[name], each.tabled) for name, each in maps.items() if each.unknown == IGNORE
        ]
        return cls(able.readable, tuple(doors), tuple(ignoring))


class UnknownFields:
    """What this process has seen, and not stored yet."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], KnownParts] = {}
        self._seen: dict[Place, Sighting] = {}
        self._by_name: dict[tuple[str, str, str], dict[str, Sighting]] = {}
        """The same by connection, entity and door, and by name."""
        self._names: dict[str, int] = {}
        """Connection -> how many names of it are noted."""
        self._new = False
        self._stored_at: datetime | None = None

    def knows(self, connection: str, entity: str) -> KnownParts | None:
        """Return what is known there; None: nobody has said yet (`learn`)."""
        return self._known.get((connection, entity))

    def learn(self, connection: str, entity: str, known: KnownParts) -> KnownParts:
        """Take in what is known of an entity of a connection."""
        return self._known.setdefault((connection, entity), known)

    def look(
        self,
        connection: str,
        entity: str,
        known: KnownParts,
        record_id: str,
        data: Mapping[str, Any],
        at: datetime,
    ) -> None:
        """Note what a record shows that is not known. Of most records that is a comparison."""
        if not data.keys() <= known.top:
            self._note(connection, entity, "", known.top, record_id, data, at)
        for door, names in known.behind:
            behind = data.get(door)
            if behind and isinstance(behind, dict) and not behind.keys() <= names:
                self._note(connection, entity, f"{door}.", names, record_id, behind, at)

    def look_at_ignored(self, entity: str, known: KnownParts, side: Side, at: datetime) -> None:
        """Note the values of a side that were ignored because nothing reads them."""
        for each, tabled in known.ignoring:
            entry = side.fields.get(each.name)
            if entry is not None and entry.unreadable_code == Code.READ_IGNORED:
                said = told(each, entry.shown, tabled=tabled)
                place = (side.connection, entity, VALUE, each.name, said)
                self._sighting(place, at).add(each.name, None, side.remote_id, at)

    def due(self, now: datetime) -> bool:
        """Return whether what was noted is to be stored."""
        if not self._seen or self._stored_at is None:
            return self._new
        wait = SOON if self._new else SELDOM
        return not self._stored_at <= now < self._stored_at + wait

    def take(self, now: datetime) -> list[tuple[Place, Sighting]]:
        """Return what is to be stored; from then on it counts anew."""
        taken: list[tuple[Place, Sighting]] = []
        for place, each in self._seen.items():
            if each.count:
                taken.append((place, replace(each)))
                each.count, each.first_at = 0, each.last_at
        self._new, self._stored_at = False, now
        return taken

    def _note(
        self,
        connection: str,
        entity: str,
        before: str,
        known: frozenset[str],
        record_id: str,
        shown: Mapping[str, Any],
        at: datetime,
    ) -> None:
        by_name = self._by_name.setdefault((connection, entity, before), {})
        for name in _others_than(known, shown):
            found = by_name.get(name)
            if found is None:
                said = before + (name if is_name(name) else OTHERS)
                found = self._sighting((connection, entity, FIELD, said, ""), at)
                if len(by_name) < MAX_NAMES:
                    by_name[name] = found
            found.add(name, shown[name], record_id, at)

    def _sighting(self, place: Place, at: datetime) -> Sighting:
        """Return what is noted of a place; of one that is too many, what is noted of all those."""
        found = self._seen.get(place)
        if found is not None:
            return found
        connection, entity, kind, _field, _value = place
        count = self._names.get(connection, 0)
        kept = place if count < MAX_NAMES else (connection, entity, kind, OTHERS, "")
        if kept not in self._seen:
            self._names[connection] = count + 1
            self._seen[kept] = Sighting(0, at, at)
            self._new = True
        return self._seen[kept]


def is_name(name: object) -> bool:
    """Return whether a name is one that people would give to a field, and tells of nobody."""
    return isinstance(name, str) and bool(_NAME.fullmatch(name)) and not _MANY_DIGITS.search(name)


def told(field: Field, value: Any, *, tabled: bool = False) -> str:
    """Return what may be said of a field's value: itself, or its shape where it may be personal.

    `tabled`: somebody has listed the field's values, so that they are words and no person's data.
    """
    if (field.personal and not tabled) or not may_be_shown(value):
        return in_words(value)
    return words_of(value)


def reads_whole(door: str, source: str) -> bool:
    """Return whether a path or an expression looks at everything behind a door."""
    return re.search(rf"(?<![\w.]){re.escape(door)}(?![\w.])", source) is not None


def names_behind(door: str, source: str) -> Iterator[str]:
    """Yield the names behind a door that a path or an expression reads."""
    pattern = rf"(?<![\w.]){re.escape(door)}\.(?:([A-Za-z_$][\w$-]{{0,59}})|\"([^\"\\]{{1,60}})\")"
    for found in re.finditer(pattern, source):
        yield found[1] or found[2]


def _others_than(known: frozenset[str], shown: Mapping[str, Any]) -> list[str]:
    """Return the first few names that are not known."""
    found: list[str] = []
    for name in shown:
        if name not in known:
            found.append(name)
            if len(found) == MAX_IN_RECORD:
                break
    return found
