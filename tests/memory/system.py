"""A vendor in memory: records in its own words, and habits with them.

It has a journal of everything that happened, and can be told how its next calls go wrong.
"""

from __future__ import annotations

import copy
import itertools
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, TypeVar

from bridge.clock import Clock
from bridge.connectors.contract import Record
from bridge.core.model.capabilities import EntityCapabilities, Verb
from bridge.core.model.clocks import ClocksApart
from bridge.core.model.values import Raw, Ref
from bridge.errors import (
    NotFound,
    NotSent,
    RateLimited,
    Refused,
    Unauthorised,
    Unavailable,
    UnknownOutcome,
)

TICKET = "ticket"
TAGS = "tags"
T = TypeVar("T")
LATE_WRITE_DELAY = timedelta(seconds=1)
"""How long after the caller gave up a late write lands."""

Operation = Literal["read", "list", "create", "update", "delete"]
FaultKind = Literal[
    "before", "after", "lost", "late", "not sent", "limited", "unauthorised", "refused"
]


@dataclass(frozen=True, slots=True)
class Habits:
    """What a system does with values by itself."""

    store: Mapping[str, Callable[[Raw], Raw]] = field(default_factory=dict)
    """By key: what becomes of a value (of each element of a set) on its way in, whoever sent it."""
    attach_only: bool = False
    """Tags can be added but never taken away by a call."""
    licensed: bool = False
    """Tags are shown and taken only while the licence lasts. Without it they read as empty, and
    writes of them do nothing."""
    dated: bool = True
    """Records carry `updated_at`, which is their version too."""
    ignores: frozenset[str] = frozenset()
    """Keys that are accepted and do nothing."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a record."""

    at: datetime
    by: Literal["human", "bridge"]
    kind: Literal["create", "update", "delete"]
    id: str
    before: Mapping[str, Raw]
    """Only what changed, as it was ..."""
    after: Mapping[str, Raw]
    """... and as it is. A write that changed nothing has both empty."""
    sent: Mapping[str, Raw] = field(default_factory=dict)
    """What the call carried, by write key."""


@dataclass(slots=True)
class _Row:
    values: dict[str, Raw]
    updated_at: datetime
    tick: int
    marker: str | None
    made_at: datetime


class MemorySystem:
    """A vendor. Every method is safe to call from several threads."""

    def __init__(
        self, clock: Clock, capabilities: EntityCapabilities, habits: Habits | None = None
    ) -> None:
        self.capabilities = capabilities
        self.habits = habits or Habits()
        self.journal: list[Event] = []
        self.licensed = True
        self._clock = clock
        self._rows: dict[str, _Row] = {}
        self._faults: dict[Operation, deque[FaultKind]] = {}
        self._late: list[tuple[datetime, Callable[[], object]]] = []
        self._ids = itertools.count(1)
        self._ticks = itertools.count(1)
        self._newest: datetime | None = None
        self._lock = threading.RLock()

    # What humans do, and what happens to a system

    def add(self, **values: Raw) -> str:
        """Make a record as a human would; return its id."""
        with self._lock:
            return self._make(values, "human", None)

    def edit(self, remote_id: str, **values: Raw) -> None:
        """Change a record as a human would."""
        with self._lock:
            self._land_late()
            self._change(remote_id, values, "human", values)

    def remove(self, remote_id: str) -> None:
        """Delete a record as a human would."""
        with self._lock:
            self._land_late()
            self._drop(remote_id, "human")

    def step_back(self, remote_id: str, seconds: float = 60.0) -> None:
        """Date a record earlier, as vendors do that take the time of its newest message."""
        with self._lock:
            self._rows[remote_id].updated_at -= timedelta(seconds=seconds)
            self._rows[remote_id].tick = next(self._ticks)

    def lapse(self) -> None:
        """End the licence for tags."""
        self.licensed = False

    def renew(self) -> None:
        """Begin a licence for tags again; what was there before is there again."""
        self.licensed = True

    def fail(self, kind: FaultKind, *, on: Operation, times: int = 1) -> None:
        """Have the next calls go wrong.

        before: an error, and nothing was done · after: done, and the answer was an error · lost:
        done, and the answer shows no record · late: an error, and it is done a second later · the
        others: refused, nothing was done. A read knows no done and fails as unavailable where a
        write's fate would be unknown.
        """
        with self._lock:
            self._faults.setdefault(on, deque()).extend([kind] * times)

    # What can be seen from outside

    @property
    def ids(self) -> list[str]:
        """Return the ids of all records."""
        with self._lock:
            return list(self._rows)

    def peek(self, remote_id: str) -> dict[str, Raw]:
        """Return a record's true values, past licence and faults."""
        with self._lock:
            self._land_late()
            return copy.deepcopy(self._rows[remote_id].values)

    def writes(self, by: Literal["human", "bridge"] = "bridge") -> list[Event]:
        """Return what humans or the bridge did, in order."""
        with self._lock:
            return [event for event in self.journal if event.by == by]

    # How a connector reaches it

    def look(self, connection: str, operation: Operation, act: Callable[[], T]) -> T:
        """Answer a call that only reads, or fail as told."""
        with self._lock:
            self._land_late()
            fault = self._next_fault(connection, operation)
            if fault is not None:
                raise Unavailable(connection, "no answer")
            return act()

    def serve(self, connection: str, operation: Operation, act: Callable[[], T]) -> T | None:
        """Carry out a call that writes, or fail as told. None: done, but the answer is empty."""
        with self._lock:
            self._land_late()
            fault = self._next_fault(connection, operation)
            if fault is None:
                return act()
            if fault in {"after", "lost"}:
                act()
            if fault == "late":
                self._late.append((self._clock.now() + LATE_WRITE_DELAY, act))
            if fault == "lost":
                return None
            raise UnknownOutcome(connection, "no answer to a write")

    def record(self, connection: str, remote_id: str) -> Record | None:
        """Show one record."""
        row = self._rows.get(remote_id)
        if row is None:
            return None
        data = {"id": remote_id, **copy.deepcopy(row.values)}
        unreadable = {}
        if self.habits.licensed and not self.licensed:
            data[TAGS] = []
            unreadable[TAGS] = "tags are shown only with a licence; renew it"
        if self.habits.dated:
            data["updated_at"] = row.updated_at.isoformat(timespec="microseconds")
        return Record(
            ref=Ref(connection, TICKET, remote_id),
            data=data,
            read_at=self._clock.now(),
            changed_before=row.updated_at if self.habits.dated else None,
            marker=row.marker,
            unreadable=unreadable,
            clocks=ClocksApart(timedelta(0), timedelta(0)),
        )

    def since(self, tick: int) -> list[tuple[int, str]]:
        """List what was touched after a tick of the system's own counter, oldest first."""
        return sorted(
            (row.tick, remote_id) for remote_id, row in self._rows.items() if row.tick > tick
        )

    def made_since(self, time: datetime) -> list[str]:
        """List what was made at a time or later."""
        return [remote_id for remote_id, row in self._rows.items() if row.made_at >= time]

    def marked(self, marker: str) -> list[str]:
        """Find the records that a create has marked."""
        return [remote_id for remote_id, row in self._rows.items() if row.marker == marker]

    def write(self, connection: str, remote_id: str, verb: Verb, values: Mapping[str, Raw]) -> None:
        """Carry out a call that changes a record."""
        row = self._rows.get(remote_id)
        if row is None:
            raise NotFound(connection, f"no ticket {remote_id}", status=404)
        if verb.element:
            ((key, element),) = values.items()
            held = list(row.values.get(key) or [])
            others = [tag for tag in held if tag != element]
            wanted = [*held, element] if verb.element == "add" else others
            self._change(remote_id, {key: wanted}, "bridge", values)
            return
        for key, value in values.items():
            self._check(connection, key, row.values.get(key), value)
        self._change(remote_id, values, "bridge", values)

    def make(self, values: Mapping[str, Raw], marker: str) -> str:
        """Carry out a create."""
        return self._make(values, "bridge", marker)

    def delete(self, remote_id: str) -> None:
        """Carry out a delete."""
        self._drop(remote_id, "bridge")

    # Inside

    def _next_fault(self, connection: str, operation: Operation) -> FaultKind | None:
        waiting = self._faults.get(operation)
        fault = waiting.popleft() if waiting else None
        _refuse(connection, fault)
        return fault

    def _check(self, connection: str, key: str, old: Raw, new: Raw) -> None:
        able = self.capabilities.writable[key]
        if new is None and not able.clears:
            raise Refused(connection, f"{key} cannot be emptied", status=400)
        if able.forward and old in able.forward:
            if new not in able.forward:
                raise Refused(connection, f"{key} knows no {new!r}", status=400)
            if able.forward.index(new) < able.forward.index(old):
                raise Refused(connection, f"{key} moves only forward", status=409)

    def _stored(self, key: str, value: Raw, by: str, old: Raw) -> Raw:
        """Return what the system makes of a value."""
        shape = self.habits.store.get(key, lambda raw: raw)
        if key != TAGS:
            return None if value is None else shape(value)
        if by == "bridge" and self.habits.licensed and not self.licensed:
            return old
        kept = old or [] if by == "bridge" and self.habits.attach_only else []
        return list(dict.fromkeys([*kept, *(shape(each) for each in value or [])]))

    def _make(
        self, values: Mapping[str, Raw], by: Literal["human", "bridge"], marker: str | None
    ) -> str:
        remote_id = f"{next(self._ids):04d}"
        stored: dict[str, Raw] = {}
        for key, able in self.capabilities.writable.items():
            default = (
                able.default if able.default is None or isinstance(able.default, str) else None
            )
            stored[key] = self._stored(
                key, values.get(key, default), by, [] if key == TAGS else None
            )
        made_at = self._stamp()
        self._rows[remote_id] = _Row(stored, made_at, next(self._ticks), marker, made_at)
        self.journal.append(
            Event(
                self._clock.now(), by, "create", remote_id, {}, copy.deepcopy(stored), dict(values)
            )
        )
        return remote_id

    def _change(
        self,
        remote_id: str,
        values: Mapping[str, Raw],
        by: Literal["human", "bridge"],
        sent: Mapping[str, Raw],
    ) -> None:
        row = self._rows[remote_id]
        taken = {
            key: value
            for key, value in values.items()
            if by == "human" or key not in self.habits.ignores
        }
        after = {
            key: self._stored(key, value, by, row.values.get(key)) for key, value in taken.items()
        }
        after = {key: value for key, value in after.items() if value != row.values.get(key)}
        before = {key: row.values.get(key) for key in after}
        row.values |= copy.deepcopy(after)
        row.updated_at, row.tick = self._stamp(), next(self._ticks)
        self.journal.append(
            Event(
                self._clock.now(), by, "update", remote_id, before, after, copy.deepcopy(dict(sent))
            )
        )

    def _drop(self, remote_id: str, by: Literal["human", "bridge"]) -> None:
        row = self._rows.pop(remote_id, None)
        if row is not None:
            self.journal.append(Event(self._clock.now(), by, "delete", remote_id, row.values, {}))

    def _stamp(self) -> datetime:
        """Return the time, a little later than ever before: no two changes share a version."""
        now = self._clock.now()
        if self._newest is not None and now <= self._newest:
            now = self._newest + timedelta(microseconds=1)
        self._newest = now
        return now

    def _land_late(self) -> None:
        now = self._clock.now()
        due = [act for at, act in self._late if at <= now]
        self._late = [(at, act) for at, act in self._late if at > now]
        for act in due:
            try:
                act()
            except (NotFound, Refused):  # its caller has long gone
                continue


def _refuse(connection: str, fault: FaultKind | None) -> None:
    """Raise what a call that certainly did nothing is answered with."""
    if fault == "not sent":
        raise NotSent(connection, "connection refused")
    if fault == "limited":
        raise RateLimited(connection, "too many calls", status=429, retry_after=1.0)
    if fault == "unauthorised":
        raise Unauthorised(connection, "credentials refused", status=401)
    if fault == "refused":
        raise Refused(connection, "not accepted", status=400)
