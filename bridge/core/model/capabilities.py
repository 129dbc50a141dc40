"""Capabilities: what a system can do, declared as data by its connector.

The planner, `bridge check` and the generated documents ask for nothing else. All keys are *write
keys*: the plain path under which a value is sent (`status`, `assignee_id`, `tags`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Literal

from bridge.core.model.values import NO_BASE, Marker, Raw


class Support(StrEnum):
    """The answer to "does it work?". `PROBED`: tried once for each connection and remembered."""

    YES = "yes"
    NO = "no"
    PROBED = "probed"


def refused_value(key: str, raw: Raw, *, on_create: bool = False) -> str:
    """Return the name under which it is remembered that a deployment refuses a value of a key.

    What a create refuses an update may still take; what an update refuses is refused altogether.
    """
    return f"{'create ' if on_create else ''}{key}={raw}"


def creating(entity: str) -> str:
    """Return the name under which it is remembered whether a deployment creates such records."""
    return f"create {entity}"


LONGEST_LAG = 600.0
"""Seconds. A record that is shown later than this after it was made has been away meanwhile."""


def appears_after(entity: str, seconds: int) -> str:
    """Return the name under which it is remembered that a new record was shown so late."""
    return f"{entity} appears after {seconds}"


def longest_appearance(entity: str, probed: Mapping[str, bool]) -> float:
    """Return the longest time, in seconds, after which a new record was seen to be shown."""
    start = appears_after(entity, 0)[:-1]
    return max((float(name[len(start) :]) for name in probed if name.startswith(start)), default=0)


@dataclass(frozen=True, slots=True)
class Probe:
    """Something that a connector tries though no document of the vendor's describes it."""

    call: str
    """As the sandbox names it (`PATCH /tickets/<ticket_id>: tags`): documented_calls.py."""
    source: str
    """Where it was seen, or why it is worth a try, and what the answer is taken for."""


@dataclass(frozen=True, slots=True)
class Writable:
    """The abilities of one write key. The defaults are those of a plain, fully capable scalar."""

    on_create: bool = True
    on_update: Support = Support.YES
    clears: bool = True
    """`None` (for a set: the empty set) can be written."""
    removes: bool = True
    """Sets only: a removal can be written, and one that is read is to be believed (rule F15).

    The latter also where the field is only read.
    """
    empty_trusted: bool = True
    """An empty set that is read is empty. False: it may also mean that it is withheld (rule F15).

    For the generated documents, and where the merge is used by itself. In the running bridge the
    connector says which empty set is unreadable, on each record (`Record.unreadable`), and all
    others are believed (`engine.context.trusting_empty_sets`).
    """
    default: Raw | Marker = NO_BASE
    """What the system fills in by itself on create: nobody's decision (rules F10, F12)."""
    max_length: int | None = None
    forward: tuple[Raw, ...] = ()
    """Values in the only order in which the system lets them move; empty: any to any."""
    required: bool = False
    """A create without it is refused."""


@dataclass(frozen=True, slots=True)
class Verb:
    """One remote call that changes a record, with everything that it sets (rule F20)."""

    name: str
    writes: tuple[str, ...]
    also: tuple[str, ...] = ()
    """Keys that the call sets besides, to the state's value, else the side's present one."""
    fallback: Mapping[str, Raw] = field(default_factory=dict)
    """The value of an `also` key when neither the state nor the side has one (a service user)."""
    only_for: Mapping[str, tuple[Raw, ...]] = field(default_factory=dict)
    """Restricts the verb to these target values of a key (`{"status": ("ongoing",)}`)."""
    element: Literal["", "add", "remove"] = ""
    """The call adds or removes one element of a set instead of replacing values."""


JsonKind = Literal["text", "number", "boolean", "list", "object"]
JSON_KINDS: tuple[JsonKind, ...] = ("text", "number", "boolean", "list", "object")
MAX_DOOR_NAME_CHARS = 60


@dataclass(frozen=True, slots=True)
class Door:
    """An object in a system's records that takes values under names of the admins' own.

    It is shown whole: a name that is not in it has no value there.
    """

    verb: str
    """The verb that writes what is behind it. All else behind it stays as it is."""
    writable: Writable
    """The abilities of each name behind it."""
    takes: tuple[JsonKind, ...] = JSON_KINDS
    """The kinds of value, besides null, that can be kept there."""
    reserved: frozenset[str] = frozenset()
    """Names behind it that are not the admins'."""


@dataclass(frozen=True, slots=True)
class EntityCapabilities:
    """What one system can do with one entity."""

    readable: frozenset[str]
    """Top-level names in the system's records; a mapping that reads another name is refused."""
    writable: Mapping[str, Writable] = field(default_factory=dict)
    verbs: tuple[Verb, ...] = ()
    doors: Mapping[str, Door] = field(default_factory=dict)
    """By the path of the object: `custom_fields`, where `custom_fields.<name>` can be written."""
    creates: Support = Support.NO
    """Withdrawn at a deployment that answers 405 or 501, for these speak of the call and never of
    one record: also where it is declared YES, for the documents may promise what a deployment does
    not do. It is not carried then, whatever else was on its way, until a human resumes the
    connection. A refusal with another status withdraws it only where nobody knew (PROBED)."""
    deletes: Support = Support.NO
    values: Mapping[str, tuple[Raw, ...]] = field(default_factory=dict)
    """All values that the system is known to send, by top-level name: a mapping must read them."""
    dated: bool = True
    """Records carry a time of their last change. Checked and documented; no decision needs it."""
    complete: bool = True
    """A full listing shows all records. False: that a record is not in it says nothing."""
    lists_newest: bool = False
    """`Connector.made_since` lists what was made last: so an import can keep a survey of what is
    there, and need not search for each record before it makes it. Declared only where a row of a
    listing shows whatever match rules may name, or is told apart from one that has no such value.
    """
    read_batch: int = 1
    """Records that one read call can return."""
    also_as: frozenset[str] = frozenset()
    """Entities as which the same records are shown, too: what is made as this one is among them."""
    originates: bool = True
    """A record may begin here. False: the system holds only copies of others' records."""
    only_listed: frozenset[str] = frozenset()
    """Names that only a full listing (`scan`) shows and a direct read leaves out.

    `runs.comparison.queue_observes` sends them along with the work that reads the record.
    """
    settle: float = 2.0
    """Seconds after which a write that has not shown up did not happen, as far as is known."""
    appears: float = 15.0
    """Seconds for which a new record may not be shown: until then, that it is not is no absence.

    And for which one that was changed may be shown as before: an older version is no edit then.
    Longer where a longer time was seen (`appears_after`).
    """

    def door_of(self, key: str) -> Door | None:
        """Return the door that a write key goes through; None: it is no name behind one."""
        place, _, name = key.rpartition(".")
        door = self.doors.get(place)
        if door is None or key in self.writable or name in door.reserved:
            return None
        return door if 0 < len(name) <= MAX_DOOR_NAME_CHARS else None

    def with_names(self, names: frozenset[str]) -> EntityCapabilities:
        """Return these capabilities with more names that can be read."""
        return replace(self, readable=self.readable | names) if names else self

    def through_doors(self, keys: Iterable[str]) -> EntityCapabilities:
        """Return these capabilities with those of the keys, of these, that go through a door."""
        doors = {key: door for key in keys if (door := self.door_of(key)) is not None}
        if not doors:
            return self
        verbs = tuple(
            replace(
                verb,
                writes=(
                    *verb.writes,
                    *(key for key, door in doors.items() if door.verb == verb.name),
                ),
            )
            for verb in self.verbs
        )
        behind = {key: door.writable for key, door in doors.items()}
        return replace(self, writable={**self.writable, **behind}, verbs=verbs)

    @property
    def write_places(self) -> str:
        """Return everything that can be written, as a message lists it."""
        behind = (f"{place}.<name>" for place in self.doors)
        return ", ".join((*sorted(self.writable), *behind)) or "nothing"
