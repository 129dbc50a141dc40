"""What the ledger knows of one link: the agreed state, each side's view of it, and the attempts under way.

Plain mutable values, owned by whoever loaded them under the link's lease. The merge changes them in
place; the ledger stores them. See docs/flow.md for the story, bridge/core/merge/observations.py for
the rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bridge.core.model.values import NO_BASE, Canonical, Marker, Raw

NEVER = -1
"""A level below every revision: this side has not been level with the state."""


@dataclass(slots=True)
class Element:
    """One element of a set in the agreed state."""

    present: bool
    rev: int
    by: str


@dataclass(slots=True)
class FieldState:
    """The agreed value of one canonical field. `rev` 0 means never set, a fourth thing beside null and absent."""

    value: Canonical = None
    rev: int = 0
    set_by: str = ""
    lo: datetime | None = None
    """The value was set after this time (None: unknown) ..."""
    hi: datetime | None = None
    """... and not after this one."""
    elements: dict[str, Element] = field(default_factory=dict)
    """Sets only: every element ever seen; `value` is the sorted tuple of the present ones."""
    candidates: dict[str, Raw] | None = None
    """An open conflict: each waiting connection's raw value. While not None the field is frozen on the whole link."""
    why_open: str = ""
    flips: list[tuple[datetime, str]] = field(default_factory=list)
    """Recent changes of hands, for the fuse."""


@dataclass(slots=True)
class SideField:
    """One field as one side last showed it."""

    shadow: Raw | Marker = NO_BASE
    map_rev: str = ""
    level: int = NEVER
    """The state revision that this side was last observed or written level with. Never moved by planning."""
    seen: datetime | None = None
    """Send time of the last read that showed the shadow."""
    got: tuple[Canonical, Raw] | None = None
    """Writing this state value was answered by that raw value: the third way to agree."""
    alias: dict[str, str] = field(default_factory=dict)
    """Sets: an element as the system stored it -> the canonical element that we had sent."""
    decided: dict[str, int] | None = None
    """Revisions of all fields that the decision to leave this field alone was based on."""
    decided_why: str = ""
    open_to_review: bool = False
    """The planner took the decision, from what is declared: it looks again, for the declaration may have changed."""
    lacks: dict[str, int] = field(default_factory=dict)
    """Sets: elements that the system did not take (or give up) -> revision of the element at that decision."""
    unreadable: str = ""
    """Why the last read said nothing; empty: readable."""
    shown: Raw | None = None
    """The value that was read and has no reading, while it has none."""
    tried: int = NEVER
    """Revision at which an adding verb was tried on an unreadable set."""


@dataclass(slots=True)
class Attempt:
    """A write, committed before it is sent. While one is open its side takes no other write."""

    id: str
    verb: str
    sent: dict[str, Raw]
    """By canonical field: the whole raw value expected after the call (for a set: all its elements)."""
    before: dict[str, Raw]
    values: dict[str, Canonical]
    """The state's value that each field was written for."""
    revs: dict[str, int]
    send_by: datetime
    call: dict[str, Raw] = field(default_factory=dict)
    """What the call carries, by write key."""
    version: str | None = None
    carried: list[str] = field(default_factory=list)
    """Fields of earlier calls whose fate could not be read yet: the answer to this call is no answer to theirs."""


@dataclass(slots=True)
class Side:
    """One ref of a link."""

    connection: str
    remote_id: str
    fields: dict[str, SideField] = field(default_factory=dict)
    version: str | None = None
    read_at: datetime | None = None
    """Send time of the last read or write: older data is stale."""
    attempt: Attempt | None = None
    missing_since: datetime | None = None
    tombstone: bool = False
    suspect: dict[str, Any] | None = None
    """A read whose version stepped back: {"digest", "at"}, believed when seen again after settling."""
    in_vain: int = 0
    """Writes in a row that changed nothing, as far as a read could tell."""
    in_scope: bool = True
    detached: bool = False
    """An admin has taken the record out of the link: it is remembered, so that it is not matched again."""
    id: str = ""


@dataclass(slots=True)
class Link:
    """The bridge's own ticket: refs that are the same thing."""

    id: str
    sync: str
    entity: str
    state: dict[str, FieldState] = field(default_factory=dict)
    sides: dict[str, Side] = field(default_factory=dict)
    """By connection: at most one live side each."""
    parent_id: str | None = None
    """The ticket's link that a message or session belongs to; it never changes."""
    intents: dict[str, str] = field(default_factory=dict)
    """Connection -> marker of an open create intent."""
    paused: bool = False

    def live(self) -> dict[str, Side]:
        """Give the sides that are not tombstones."""
        return {name: side for name, side in self.sides.items() if not side.tombstone}


@dataclass(frozen=True, slots=True)
class Note:
    """One line of the ticket's timeline."""

    kind: str
    """observed, changed, agreed, settled, conflict, uncertain, not carried, unreadable, re-sent, reverted, ..."""
    connection: str
    field: str
    detail: dict[str, Any]
