"""The input of the merge: the declared rules, one observation, and the case of one field in it.

A `Case` is what the functions of `scalars`, `sets` and `policies` are handed: one field of one
side, together with everything that a decision about it may look at or change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bridge.core.mapping.fieldmap import EntityMap, FieldMap
from bridge.core.merge.equality import agrees
from bridge.core.model.capabilities import Writable
from bridge.core.model.clocks import NOT_LEARNT, ClocksApart
from bridge.core.model.state import FieldState, Link, Note, Side, SideField
from bridge.core.model.syncs import FieldPolicy, Sync
from bridge.core.model.values import Canonical, Marker, Raw, Unreadable

ADMIN = "admin"
"""Sets a state that a human decided in the bridge itself (`FieldState.set_by`)."""
MAPPING = "mapping"
"""Sets a state that moved because a changed mapping reads the same raw value differently."""

DEFAULT_POLICY = FieldPolicy()
FULLY_CAPABLE = Writable()


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything declared that the merge of one sync needs. Never changed by the merge."""

    sync: Sync
    maps: Mapping[str, EntityMap]
    """By connection."""
    writable: Mapping[str, Mapping[str, Writable]] = field(default_factory=dict)
    """Connection -> write key -> how it behaves."""

    def policy(self, name: str) -> FieldPolicy:
        """Return the policy of a canonical field."""
        return self.sync.policies.get(name, DEFAULT_POLICY)

    def capability(self, connection: str, field_map: FieldMap) -> Writable:
        """Return how a connection handles a field.

        A field that is written is looked up by its write key, one that is only read by the name
        under which it is read.
        """
        key = field_map.source if field_map.write_key is None else field_map.write_key
        return self.writable.get(connection, {}).get(key, FULLY_CAPABLE)


@dataclass(frozen=True, slots=True)
class Observation:
    """One record as it was read, or as a write was answered, in the system's own values."""

    connection: str
    values: Mapping[str, Raw | Marker | Unreadable]
    """By canonical field. A field that is left out was not looked at."""
    read_at: datetime
    """When the request was sent, by our clock."""
    changed_before: datetime | None = None
    """The vendor's time of the last change, corrected and widened to an upper bound (rule F7).

    None: the record is not dated.
    """
    version: str | None = None
    own: bool = False
    """The answer to our own write."""
    clocks: ClocksApart = NOT_LEARNT
    """How far our clock is ahead of the one that times among the values are of."""


@dataclass(frozen=True, slots=True)
class Case:
    """One field of one side, with everything that a decision about it needs.

    Decisions change `entry`, `state` and `notes` in place; `obs`, `rules` and `field_map` never.
    """

    link: Link
    side: Side
    obs: Observation
    rules: Rules
    name: str
    """The canonical field."""
    field_map: FieldMap
    """The field as this connection's mapping translates it."""
    entry: SideField
    """The field as this side last showed it."""
    state: FieldState
    """The field's agreed value."""
    notes: list[Note]
    """Lines for the timeline, of all cases of one observation."""

    @property
    def connection(self) -> str:
        """Return the connection that was observed."""
        return self.side.connection

    @property
    def policy(self) -> FieldPolicy:
        """Return the field's declared policy."""
        return self.rules.policy(self.name)

    @property
    def capability(self) -> Writable:
        """Return what the connection can do with the field."""
        return self.rules.capability(self.connection, self.field_map)

    @property
    def interval(self) -> tuple[datetime | None, datetime]:
        """Return the bounds in time of a change that this observation shows first (rule F7).

        It happened after the last read of the old value, and not after the request was sent or the
        record's own time of change. A record's time before that last read cannot be about this
        change, and is left out.
        """
        lo, hi = self.entry.seen_at, self.obs.read_at
        dated = self.obs.changed_before
        if dated is not None and dated < hi and (lo is None or dated > lo):
            hi = dated
        return lo, hi

    def agrees(self, raw: Raw) -> bool:
        """Return whether a raw value of this side agrees with the state."""
        return agrees(self.field_map, self.entry, raw, self.state)

    def is_behind(self) -> bool:
        """Return whether the state moved since this side was level with it (rule F5)."""
        return self.entry.level < self.state.rev

    def mark_level(self) -> None:
        """Note that the side was seen or written level with the present state."""
        self.entry.level = self.state.rev
        self.entry.decided = None
        self.entry.decided_why = self.entry.decided_code = ""

    def set_shadow(self, raw: Raw) -> None:
        """Make a raw value the shadow, with which the next read is compared."""
        self.entry.shadow = raw
        self.entry.map_rev = self.field_map.revision
        self.entry.taken_from = self.field_map.taken_from

    def note(self, kind: str, **detail: object) -> None:
        """Add a line about this field to the timeline."""
        self.notes.append(Note(kind, self.connection, self.name, detail))

    def note_losses(self, raw: Raw) -> None:
        """Add a line that says what the other sides will not show of a value that was taken."""
        lost = self.field_map.loses(raw) if self.field_map.loses is not None else ""
        if lost:
            self.note("fidelity", why=f"not mirrored: {lost}")

    def note_both(self, raw: Raw, value: Canonical, *, kind: str, winner: str, why: str) -> None:
        """Add a line that shows this side's value and the state's, and which of them won.

        No human edit is lost without such a line. Call it before the state moves.
        """
        other = self.state.set_by
        theirs: dict[str, object] = {"value": self.state.value, "by": other}
        held = self.link.sides[other].fields.get(self.name) if other in self.link.sides else None
        if held is not None and not isinstance(held.shadow, Marker):
            theirs["raw"] = held.shadow
        mine = {"value": value, "raw": raw, "by": self.connection}
        sides = [other, self.connection]
        self.note(kind, mine=mine, theirs=theirs, winner=winner, why=why, sides=sides)
