"""What changed mappings and rules do to one ticket, from what the ledger keeps of it alone.

The very merge and planner that do it later are tried on a link in memory: its sides are read anew,
its state moves, and each call that follows is taken to land as sent, until nothing is left to do.
What would be written under the old rules as well is none of the change's doing, and is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from bridge.core.mapping.fieldmap import FieldMap, same_declaration
from bridge.core.merge import observations
from bridge.core.merge.case import Observation, Rules
from bridge.core.merge.equality import agrees
from bridge.core.merge.leaving import settle_without_absent
from bridge.core.merge.rereading import FreshValues, KnownReadings, is_followed, reread
from bridge.core.model.state import Attempt, Link, Note, Side, SideField
from bridge.core.model.values import Canonical, Marker
from bridge.core.planning.calls import PlannedCall
from bridge.core.planning.creation import CreatePlan
from bridge.core.planning.planned_write import PlannedWrite, subject_of
from bridge.core.planning.planner import mark_tried, plan
from bridge.engine.context import Context

MAX_CALLS: Final = 100
"""Calls of one ticket that are followed: many more than any ticket needs."""
LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
EXPECTED: Final = "\0expected"
"""In place of the marker of a record that would be made."""

LeaveOut = Callable[[Link, str, Sequence[PlannedCall]], Sequence[PlannedCall]]
"""Takes out of a side's calls what its vendor has refused before."""


@dataclass(frozen=True, slots=True)
class MovedState:
    """An agreed value that is another after the change."""

    field: str
    before: Canonical
    after: Canonical


@dataclass(frozen=True, slots=True)
class LossyCell:
    """A field that a connection will not show as agreed, and does not miss today."""

    connection: str
    field: str
    kind: str
    """`not carried`, `unreadable`, `conflict`: as the ticket's timeline will say it."""
    why: str


@dataclass(slots=True)
class LinkEffect:
    """What a change does to one ticket."""

    link: str
    subject: str
    writes: list[PlannedWrite] = field(default_factory=list)
    moved: list[MovedState] = field(default_factory=list)
    lossy: list[LossyCell] = field(default_factory=list)
    owed: int = 0
    """Writes that are due without the change as well."""
    unread: list[tuple[str, str]] = field(default_factory=list)
    """Connection and field whose value nobody knows before the record is read."""
    fresh: FreshValues = field(default_factory=dict)
    """What was read for it, of what the ledger does not know."""
    open_attempt: bool = False
    """A write of the ticket is under way, or its fate unknown: it may come out otherwise."""

    def __bool__(self) -> bool:
        """Return whether anything of the ticket is another than before."""
        return bool(self.writes or self.moved or self.lossy)


LOSSES: Final = frozenset({"not carried", "unreadable", "conflict"})


@dataclass(frozen=True, slots=True)
class MappingChange:
    """Two ways to see the same ledger: by the files in force, and by those that are tried."""

    old: Context
    new: Context
    _known: dict[str, KnownReadings] = field(default_factory=dict)
    _changed: dict[str, Mapping[str, Collection[str]]] = field(default_factory=dict)

    def known(self, sync: str) -> KnownReadings:
        """Return which stored values the new mappings of a sync would read as well."""
        if sync not in self._known:
            self._known[sync] = self._find_known(sync)
        return self._known[sync]

    def _find_known(self, sync: str) -> KnownReadings:
        if (members := self.new.syncs.get(sync)) is None:
            return {}
        entity = members.entity
        return {name: self._known_of(name, entity) for name in members.members}

    def _known_of(self, connection: str, entity: str) -> dict[str, list[str]]:
        old, new = (_fields(context, connection, entity) for context in (self.old, self.new))
        return {
            name: [old[name].revision]
            for name, field_map in new.items()
            if name in old and taken_alike(old[name], field_map)
        }

    def changed(self, sync: str) -> Mapping[str, Collection[str]]:
        """Return by connection the fields that the new mappings of a sync read otherwise."""
        if sync not in self._changed:
            self._changed[sync] = self._find_changed(sync)
        return self._changed[sync]

    def _find_changed(self, sync: str) -> dict[str, set[str]]:
        if (named := self.new.syncs.get(sync)) is None:
            return {}
        return {name: self._changed_of(name, named.entity) for name in named.members}

    def _changed_of(self, connection: str, entity: str) -> set[str]:
        old, new = (_fields(context, connection, entity) for context in (self.old, self.new))
        return {
            name
            for name, field_map in new.items()
            if not field_map.parent
            and (name not in old or old[name].revision != field_map.revision)
        }

    def unread(self, link: Link) -> list[tuple[str, str]]:
        """Return the fields of a link's sides that the stored values do not tell."""
        known, changed = self.known(link.sync), self.changed(link.sync)
        return [
            (name, field_name)
            for name, side in link.live().items()
            if is_followed(side) and side.read_at is not None
            for field_name in changed[name]
            if _is_unread(
                side.fields.get(field_name),
                _fields(self.new, name, link.entity)[field_name],
                known[name].get(field_name),
            )
        ]


def _is_unread(
    entry: SideField | None, field_map: FieldMap, revisions: Collection[str] | None
) -> bool:
    """Return whether nobody knows what a record has in a field that is read otherwise.

    What the mapping of before has looked for in vain would be looked for in vain again.
    """
    if revisions is None:
        return True
    if entry is None or entry.unreadable or isinstance(entry.shadow, Marker):
        return False
    taken = (*revisions, field_map.revision)
    return not any(same_declaration(entry.map_rev, each) for each in taken)


def taken_alike(one: FieldMap, other: FieldMap) -> bool:
    """Return whether two mappings of a field take the same raw value out of a record."""
    return (one.taken_from, one.is_set) == (other.taken_from, other.is_set)


def effect_on(
    change: MappingChange,
    link: Link,
    as_it_is: Link | None = None,
    *,
    fresh: FreshValues | None = None,
    leave_out: LeaveOut = lambda _link, _name, calls: calls,
) -> LinkEffect:
    """Return what a change does to a link, which is changed on the way.

    `as_it_is`: the same once more as the old rules see it, where something may be due to it anyway.
    `fresh`: what was read of late of what the ledger does not know.
    """
    effect = LinkEffect(link.id, subject_of(link), fresh=fresh or {})
    effect.unread = [
        (name, field_name)
        for name, field_name in change.unread(link)
        if field_name not in effect.fresh.get(name, {})
    ]
    effect.open_attempt = any(side.attempt is not None for side in link.live().values())
    before = {name: state.value for name, state in link.state.items()}
    notes: list[Note] = []
    if (sync := change.new.syncs.get(link.sync)) is not None:
        notes += reread(link, change.new.rules(sync), change.known(link.sync), fresh)
    effect.moved = [
        MovedState(name, before.get(name), state.value)
        for name, state in link.state.items()
        if state.value != before.get(name)
    ]
    writes = played(change.new, link, notes, leave_out)
    owed, known_losses = set[tuple[str, ...]](), set[LossyCell]()
    if as_it_is is not None:
        told: list[Note] = []
        owed = {_target(write) for write in played(change.old, as_it_is, told, leave_out)}
        known_losses = set(_losses(told))
    effect.writes = [write for write in writes if _target(write) not in owed]
    effect.owed = len(owed)
    effect.lossy = [loss for loss in _losses(notes) if loss not in known_losses]
    return effect


def _target(write: PlannedWrite) -> tuple[str, ...]:
    """Return what tells a write from any other, but for the values from before."""
    values = sorted((name, repr(raw)) for name, raw in write.sent.items())
    return (write.op, write.connection, write.id, *(part for pair in values for part in pair))


def _losses(notes: Iterable[Note]) -> list[LossyCell]:
    cells = (
        LossyCell(note.connection, note.field, note.kind, str(note.detail.get("why", "")))
        for note in notes
        if note.kind in LOSSES
    )
    return list(dict.fromkeys(cells))


def _fields(context: Context, connection: str, entity: str) -> Mapping[str, FieldMap]:
    mapped = context.maps.get(connection, {}).get(entity)
    return mapped.fields if mapped is not None else {}


# --- playing a plan through -----------------------------------------------------------------------


def played(
    context: Context, link: Link, notes: list[Note], leave_out: LeaveOut
) -> list[PlannedWrite]:
    """Return the calls that a link needs until it is at rest, each taken to land as it is sent."""
    if (sync := context.syncs.get(link.sync)) is None:
        return []
    rules = context.rules(sync)
    notes += settle_without_absent(link, rules)
    writes: list[PlannedWrite] = []
    due = list(sync.members)
    while due and len(writes) < MAX_CALLS:
        name, before = due[0], _revisions(link)
        able = context.capabilities[name][link.entity]
        planned = plan(link, name, rules, able, context.probes.get(name, {}))
        notes += planned.notes
        calls = leave_out(link, name, planned.calls)
        if planned.create is not None and not planned.create.missing:
            writes.append(_create(link, name, planned.create))
            link.intents[name] = EXPECTED
        elif planned.delete:
            writes.append(_delete(link, link.sides[name]))
            link.sides[name].tombstone = True
        elif calls:
            writes.append(_update(link, link.sides[name], calls[0]))
            if _lands_plainly(link, link.sides[name], calls[0], rules):
                if len(planned.calls) == 1:
                    due.pop(0)  # it is level in all that this was about
                continue
            notes += _land(link, link.sides[name], calls[0], rules)
            if _revisions(link) != before:
                due = list(sync.members)  # the answer has moved the state: for all of them
        else:
            due.pop(0)
    return writes


def _revisions(link: Link) -> int:
    return sum(state.rev for state in link.state.values())


def _create(link: Link, connection: str, made: CreatePlan) -> PlannedWrite:
    origin = sorted(f"{side.connection}:{side.remote_id}" for side in link.live().values())
    write = _write(link, "create", connection, ", ".join(origin))
    return replace(write, values=made.values, sent=made.sent)


def _delete(link: Link, side: Side) -> PlannedWrite:
    write = _write(link, "delete", side.connection, side.remote_id)
    return replace(write, destructive=1)


def _update(link: Link, side: Side, call: PlannedCall) -> PlannedWrite:
    return replace(
        _write(link, "update", side.connection, side.remote_id),
        verb=call.verb,
        values=call.body,
        sent=call.sent,
        before={name: raw for name, raw in call.before.items() if not isinstance(raw, Marker)},
        destructive=len(call.destructive),
    )


def _write(link: Link, op: str, connection: str, remote_id: str) -> PlannedWrite:
    return PlannedWrite(op, connection, link.entity, remote_id, subject=subject_of(link))


def _lands_plainly(link: Link, side: Side, call: PlannedCall, rules: Rules) -> bool:
    """Take a call for answered as it was sent, where that says what the state says; else False.

    It is what `_land` comes to then, for far less: of most calls nothing else is to be told.
    """
    fields = rules.maps[side.connection].fields
    if side.attempt is not None:
        return False
    for name, raw in call.sent.items():
        entry, state = side.fields.get(name), link.state.get(name)
        if entry is None or state is None or entry.unreadable or state.candidates is not None:
            return False
        if call.revs.get(name) != state.rev or not agrees(fields[name], entry, raw, state):
            return False
    for name, raw in call.sent.items():
        entry = side.fields[name]
        entry.shadow, entry.level, entry.decided = raw, link.state[name].rev, None
    return True


def _land(link: Link, side: Side, call: PlannedCall, rules: Rules) -> list[Note]:
    """Take a call for answered as it was sent, in memory; return what it says of losses."""
    mark_tried(link, side.connection, call)
    at = side.read_at or LONG_AGO
    attempt = Attempt(
        id="",
        verb=call.verb,
        sent=dict(call.sent),
        before=dict(call.before),
        state_values=dict(call.state_values),
        revs=dict(call.revs),
        send_by=at,
        body=dict(call.body),
    )
    observations.open_attempt(side, attempt)
    answer = Observation(side.connection, dict(call.sent), at, version=side.version, own=True)
    return [note for note in observations.absorb(link, answer, rules) if note.kind in LOSSES]
