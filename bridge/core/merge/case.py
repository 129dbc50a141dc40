"""What the merge is given: the declared rules, one observation, and the one field of it that is being looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bridge.core.mapping.fieldmap import EntityMap, FieldMap
from bridge.core.merge.equality import agrees
from bridge.core.model.capabilities import Writable
from bridge.core.model.state import FieldState, Link, Note, Side, SideField
from bridge.core.model.syncs import FieldPolicy, Sync
from bridge.core.model.values import Canonical, Marker, Raw, Unreadable

ADMIN = "admin"
"""Who set a state that a human decided in the bridge itself."""
MAPPING = "mapping"
"""Who set a state that moved because a table reads a value differently now."""

DEFAULT_POLICY = FieldPolicy()
FULLY_CAPABLE = Writable()


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything declared that the merge of one sync needs."""

    sync: Sync
    maps: Mapping[str, EntityMap]
    """By connection."""
    writable: Mapping[str, Mapping[str, Writable]] = field(default_factory=dict)
    """Connection -> write key -> how it behaves."""

    def policy(self, name: str) -> FieldPolicy:
        """Give the policy of a canonical field."""
        return self.sync.policies.get(name, DEFAULT_POLICY)

    def able(self, connection: str, mapped: FieldMap) -> Writable:
        """Give how a connection handles the field, for one that is only read by the name under which it is read."""
        key = mapped.source if mapped.write_key is None else mapped.write_key
        return self.writable.get(connection, {}).get(key, FULLY_CAPABLE)


@dataclass(frozen=True, slots=True)
class Observation:
    """One record as it was read, or as a write was answered. A field left out of `values` was not looked at."""

    connection: str
    values: Mapping[str, Raw | Marker | Unreadable]
    read_at: datetime
    """When the request was sent, in our clock."""
    changed_before: datetime | None = None
    """The vendor's time of the last change, corrected and widened to an upper bound; None: it dates nothing."""
    version: str | None = None
    own: bool = False
    """The answer to our own write."""


@dataclass(frozen=True, slots=True)
class Case:
    """One field of one side, with everything that deciding about it takes. Decisions change the link in place."""

    link: Link
    side: Side
    obs: Observation
    rules: Rules
    name: str
    mapped: FieldMap
    entry: SideField
    state: FieldState
    notes: list[Note]

    @property
    def connection(self) -> str:
        """Give the connection that was observed."""
        return self.side.connection

    @property
    def policy(self) -> FieldPolicy:
        """Give the field's declared policy."""
        return self.rules.policy(self.name)

    @property
    def able(self) -> Writable:
        """Give what the connection can do with the field."""
        return self.rules.able(self.connection, self.mapped)

    @property
    def interval(self) -> tuple[datetime | None, datetime]:
        """Give when the change was made: after the last read of the old value, not after now or the record's own time.

        A vendor's time before that last read cannot be about this change, and is left out.
        """
        lo, hi = self.entry.seen, self.obs.read_at
        dated = self.obs.changed_before
        if dated is not None and dated < hi and (lo is None or dated > lo):
            hi = dated
        return lo, hi

    def agrees(self, raw: Raw) -> bool:
        """Tell whether a raw value of this side agrees with the state."""
        return agrees(self.mapped, self.entry, raw, self.state)

    def behind(self) -> bool:
        """Tell whether the state moved since this side was level with it. A state never set is behind nobody."""
        return self.entry.level < self.state.rev

    def level(self) -> None:
        """Note that the side was seen or written level with the present state."""
        self.entry.level = self.state.rev
        self.entry.decided = None
        self.entry.decided_why = ""

    def base(self, raw: Raw) -> None:
        """Make a raw value the shadow that the next read is compared with."""
        self.entry.shadow = raw
        self.entry.map_rev = self.mapped.revision

    def note(self, kind: str, **detail: object) -> None:
        """Add a line to the timeline."""
        self.notes.append(Note(kind, self.connection, self.name, detail))

    def versus(
        self, raw: Raw, value: Canonical, *, kind: str, winner: str, why: str, **more: object
    ) -> None:
        """Record that this side's value met another one, with both, and how it was settled."""
        other = self.state.set_by
        theirs: dict[str, object] = {"value": self.state.value, "by": other}
        held = self.link.sides[other].fields.get(self.name) if other in self.link.sides else None
        if held is not None and not isinstance(held.shadow, Marker):
            theirs["raw"] = held.shadow
        mine = {"value": value, "raw": raw, "by": self.connection}
        self.note(
            kind,
            mine=mine,
            theirs=theirs,
            winner=winner,
            why=why,
            sides=[other, self.connection],
            **more,
        )
