"""The state of one link: the agreed values, what each side shows, open attempts.

Plain mutable values, owned by whoever loaded them under the link's lease. The merge changes them in
place; the ledger stores them. docs/flow.md tells the story, docs/merge-rules.md the rules.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bridge.core.model.entities import ENDED
from bridge.core.model.values import NO_BASE, Canonical, Marker, Raw

NEVER = -1
"""A level below every revision: this side was never level with the state (rule F5)."""


@dataclass(slots=True)
class Element:
    """One element of a set in the agreed state."""

    present: bool
    rev: int
    by: str


@dataclass(slots=True)
class FieldState:
    """The agreed value of one canonical field.

    `rev` counts how often it was set or confirmed. 0: never set, which is something else than null
    and absent (rule F10).
    """

    value: Canonical = None
    rev: int = 0
    set_by: str = ""
    read_from: str = ""
    """Of a state that a changed mapping has set: the connection whose value it is a reading of.

    Should the mapping change again, or be taken back, that is read anew.
    """
    lo: datetime | None = None
    """The value was set after this time (None: unknown; rule F7) ..."""
    hi: datetime | None = None
    """... and not after this one."""
    over_since: tuple[datetime | None, datetime | None] | None = None
    """Of the status of a request that was over before the value was set: between which times that
    began. None: it is not over, or has been since the value was set."""
    elements: dict[str, Element] = field(default_factory=dict)
    """Sets only: every element ever seen; `value` is the sorted tuple of the present ones."""
    candidates: dict[str, Raw] | None = None
    """An open conflict: each waiting connection's raw value (rule F18).

    While it is not None the field is frozen on the whole link.
    """
    why_open: str = ""
    ended: tuple[str, Canonical] | None = None
    """The connection whose record's end has closed the field, or opened the conflict, and the value
    before: should the record come back, so does that. Whoever decides anew, ends it."""
    flips: list[tuple[datetime, str]] = field(default_factory=list)
    """Recent changes of hands, for the flip-flop fuse."""
    in_our_time: tuple[datetime, datetime] | None = None
    """Of the time at which a request was made: between which times of our clock that was."""

    def over(self) -> tuple[datetime | None, datetime | None] | None:
        """Return between which times a request ended whose status this is; None: it has not."""
        if self.rev == 0 or not isinstance(self.value, str) or self.value not in ENDED:
            return None
        return self.over_since or (self.lo, self.hi)

    def comes_from(self, connection: str) -> bool:
        """Return whether the value is what a connection's record says, by whichever mapping."""
        return connection in {self.set_by, self.read_from}


@dataclass(slots=True)
class SideField:
    """One field as one side last showed it."""

    shadow: Raw | Marker = NO_BASE
    """The raw value that the side showed last; `NO_BASE`: never read."""
    map_rev: str = ""
    """The mapping revision that the shadow was taken by (rule F19); without one, what is shown.

    Empty beside a shadow: that waited in a conflict when the record left the link (rule F18).
    """
    taken_from: str = ""
    """Whence in the record that revision took the shadow (`FieldMap.taken_from`); empty: an older
    version of the bridge did not say."""
    level: int = NEVER
    """The state revision that this side was last observed or written level with (rule F5).

    Never moved by planning.
    """
    seen_at: datetime | None = None
    """When the last read that showed the shadow, or what has no reading, was sent (rule F7)."""
    remembered_answer: tuple[Canonical, Raw] | None = None
    """Writing this state value was answered by that raw value (rule F13).

    The third way to agree; dropped as soon as the side changes.
    """
    alias: dict[str, str] = field(default_factory=dict)
    """Sets: an element as the system stored it -> the canonical element that we had sent."""
    decided: dict[str, int] | None = None
    """A decision to leave this field alone: the revisions of all fields that it was based on."""
    decided_why: str = ""
    decided_code: str = ""
    """The outcome code of that reason; empty where an older version took the decision."""
    open_to_review: bool = False
    """The planner took the decision from what is declared; it looks again, for that may change."""
    lacks: dict[str, int] = field(default_factory=dict)
    """Sets: elements that the system did not take, or give up -> revision of the element then."""
    unreadable: str = ""
    """Why the last read said nothing; empty: readable."""
    unreadable_code: str = ""
    """The outcome code of that reason."""
    shown: Raw | None = None
    """The raw value last shown, kept while the mapping cannot read it."""
    tried: int = NEVER
    """The state revision at which an adding verb was tried on an unreadable set (rule F15)."""
    in_our_time: tuple[datetime, datetime] | None = None
    """Of the time at which a record was made: between which times of our clock that was."""


@dataclass(slots=True)
class Attempt:
    """A write, committed before it is sent (rule F3). While it is open its side takes no other."""

    id: str
    verb: str
    sent: dict[str, Raw]
    """By canonical field: the whole raw value expected after the call; of a set, all elements."""
    before: dict[str, Raw]
    """By canonical field: the whole raw value before the call."""
    state_values: dict[str, Canonical]
    """The state's value that each field was written for."""
    revs: dict[str, int]
    """By canonical field: the side's level in it once the call has landed."""
    send_by: datetime
    """Not sent after this time (rule F4)."""
    body: dict[str, Raw] = field(default_factory=dict)
    """What the call carries, by write key."""
    version: str | None = None
    """The record's version before the call."""
    inherited: list[str] = field(default_factory=list)
    """Fields taken over from earlier attempts, whose fate could not be read yet.

    The answer to this call is no answer to theirs.
    """


@dataclass(slots=True)
class Side:
    """One connection's record in a link: what it last showed, and what is open there."""

    connection: str
    remote_id: str
    fields: dict[str, SideField] = field(default_factory=dict)
    version: str | None = None
    read_at: datetime | None = None
    """When the last read or write was sent, by our clock: older data is stale.

    Of a record that is gone: when it was there last, as far as is known.
    """
    attempt: Attempt | None = None
    missing_since: datetime | None = None
    """Not found since then; a second absence makes the tombstone (rule F21)."""
    tombstone: bool = False
    suspect: dict[str, Any] | None = None
    """A read whose version stepped back: {"digest", "at"}; believed when seen again (rule F8)."""
    in_vain: int = 0
    """Writes in a row that changed nothing, as far as a read could tell."""
    in_scope: bool = True
    detached: bool = False
    """An admin took the record out of the link; kept so that it is not matched again."""
    handle: str = ""
    """What the system finds the record by where its id does not serve; empty: nothing is known."""
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
    retired: dict[str, Side] = field(default_factory=dict)
    """By connection: sides of connections that the link's sync does not name (any more).

    They are kept and shown. Nothing reads, merges, plans or writes them.
    """
    parent_id: str | None = None
    """The ticket's link that a message or session belongs to; it never changes."""
    intents: dict[str, str] = field(default_factory=dict)
    """Connection -> marker of an open create intent."""
    paused: bool = False

    def live(self) -> dict[str, Side]:
        """Return the sides that are not tombstones, by connection."""
        return {name: side for name, side in self.sides.items() if not side.tombstone}

    def retire_all_but(self, members: Collection[str]) -> None:
        """Retire the sides of all connections but these, and bring back those of these."""
        known = {**self.sides, **self.retired}
        self.sides = {name: side for name, side in known.items() if name in members}
        self.retired = {name: side for name, side in known.items() if name not in members}


@dataclass(frozen=True, slots=True)
class Note:
    """One line of the ticket's timeline."""

    kind: str
    """observed, changed, agreed, settled, conflict, uncertain, not carried, unreadable, ..."""
    connection: str
    field: str
    detail: dict[str, Any]
