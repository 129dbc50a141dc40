"""From fields that are due to the vendor's calls: which one sets what, and what else a call sets on the way.

The unit of a plan is a call. Whatever a call touches is on its list, so that nothing that we cause
looks like the doing of a human afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bridge.core.mapping.fieldmap import FieldMap
from bridge.core.merge.case import Rules
from bridge.core.merge.equality import decision_holds
from bridge.core.model.capabilities import EntityCapabilities, Verb, Writable
from bridge.core.model.state import FieldState, Link, Note, Side, SideField
from bridge.core.model.values import Canonical, Marker, NotCarried, Raw

EMPTY_VALUES: tuple[Raw, ...] = (None, "", [], ())


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """One remote call that would bring a side nearer to the state."""

    verb: str
    values: dict[str, Raw]
    """What it carries, by write key; for an element verb the one element."""
    sent: dict[str, Raw]
    """The whole raw value expected afterwards, by canonical field: also of fields that the call only sets besides."""
    before: dict[str, Raw]
    state_values: dict[str, Canonical]
    """The state's value that each field is written for; a field set to anything else is left out."""
    revs: dict[str, int]
    """The level that each field has once the call has landed."""
    destructive: tuple[str, ...] = ()
    """What would be lost, in words: a value emptied, a tag removed, closed because of a deletion."""


@dataclass(frozen=True, slots=True)
class Want:
    """One field to be written whole."""

    name: str
    key: str
    raw: Raw
    destructive: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipient:
    """The side that is planned for. Decisions to leave something alone are kept on its fields, and noted."""

    link: Link
    side: Side
    rules: Rules
    capabilities: EntityCapabilities
    notes: list[Note] = field(default_factory=list)

    @property
    def fields(self) -> Mapping[str, FieldMap]:
        """Give the mapped fields of the side's connection."""
        return self.rules.maps[self.side.connection].fields

    def entry(self, name: str) -> SideField:
        """Give the side's own view of a field, an empty one if it has none."""
        return self.side.fields.get(name) or SideField()

    def state(self, name: str) -> FieldState:
        """Give the agreed state of a field, one never set if it has none."""
        return self.link.state.get(name) or FieldState()

    def receives(self, name: str) -> bool:
        """Tell whether the sync sends the field to this connection."""
        to = self.rules.policy(name).to
        return to is None or self.side.connection in to

    def decline(self, name: str, why: str, *used: str) -> None:
        """Leave a field alone for as long as it and the other fields that decided about it stand as they are."""
        entry = self.side.fields[name]
        known = decision_holds(entry, self.link.state) and entry.decided_why == why
        entry.decided = {each: self.state(each).rev for each in (name, *used)}
        entry.decided_why, entry.open_to_review = why, True
        if not known:
            self.note(name, why=why)

    def lack(self, name: str, element: str, why: str) -> None:
        """Leave one element of a set alone for as long as nobody decides about it anew."""
        rev = self.state(name).elements[element].rev
        self.side.fields[name].lacks[element] = rev
        self.note(name, element=element, why=why)

    def note(self, name: str, **detail: object) -> None:
        """Record that something is not carried."""
        self.notes.append(
            Note("not carried", self.side.connection, name, {**detail, "rev": self.state(name).rev})
        )

    def call(self, verb: Verb, want: Want, before: Raw, after: Raw) -> PlannedCall:
        """Make a call of one element, which turns the set from `before` into `after`."""
        state = self.state(want.name)
        return PlannedCall(
            verb=verb.name,
            values={want.key: want.raw},
            sent={want.name: after},
            before={want.name: before},
            state_values={want.name: state.value},
            revs={want.name: state.rev},
            destructive=want.destructive,
        )


def group_into_calls(target: Recipient, wants: Iterable[Want]) -> list[PlannedCall]:
    """Share fields out among the verbs. One that sets more than it is asked for comes first: it may cover the rest."""
    left = {want.key: want for want in wants}
    calls = []
    for verb in sorted(target.capabilities.verbs, key=lambda each: not each.also):
        taken = [left[key] for key in verb.writes if key in left]
        if verb.element or not taken or not _fits(verb, left):
            continue
        for want in taken:
            del left[want.key]
        call = _compose(target, verb, taken)
        if call is None:
            continue
        calls.append(call)
        left = {
            key: want
            for key, want in left.items()
            if call.values.get(key) != want.raw or key not in call.values
        }
    for want in left.values():
        target.decline(want.name, f"no call of this system sets {want.key} to {want.raw!r}")
    return calls


def _fits(verb: Verb, left: Mapping[str, Want]) -> bool:
    """Tell whether what is wanted is what the verb is there for."""
    return all(key in left and left[key].raw in allowed for key, allowed in verb.only_for.items())


def _compose(target: Recipient, verb: Verb, taken: list[Want]) -> PlannedCall | None:
    """Fill one call in, with what it sets besides; None if it has to wait, or cannot be made as things stand."""
    call = PlannedCall(
        verb=verb.name,
        values={want.key: want.raw for want in taken},
        sent={want.name: want.raw for want in taken},
        before={want.name: target.entry(want.name).shadow for want in taken},
        state_values={want.name: target.state(want.name).value for want in taken},
        revs={want.name: target.state(want.name).rev for want in taken},
        destructive=tuple(each for want in taken for each in want.destructive),
    )
    by_key = {mapped.write_key: mapped for mapped in target.fields.values()}
    for key in verb.also:
        if key in call.values:
            continue
        mapped = by_key.get(key)
        if mapped is not None and target.state(mapped.name).candidates is not None:
            return None  # its value is being argued about: the whole call waits
        if not _fill(target, verb, key, mapped, call):
            used = () if mapped is None else (mapped.name,)
            for want in taken:
                target.decline(
                    want.name, f"{verb.name} needs {key}, and nothing gives it a value", *used
                )
            return None
    return call


def _fill(
    target: Recipient, verb: Verb, key: str, mapped: FieldMap | None, call: PlannedCall
) -> bool:
    """Give a key that the call sets besides its value: the state's, else the side's own, else the declared one."""
    if mapped is None:
        raw = verb.fallback.get(key)
        if raw is not None:
            call.values[key] = raw
        return raw is not None
    name, state, entry = mapped.name, target.state(mapped.name), target.entry(mapped.name)
    raw = _of_state(target, mapped)
    decided = raw is not None
    if raw is None and not isinstance(entry.shadow, Marker) and not entry.unreadable:
        raw = entry.shadow
    if raw is None:
        raw = verb.fallback.get(key)
    if raw is None:
        return False
    call.values[key] = call.sent[name] = raw
    call.revs[name] = state.rev if decided else entry.level
    if decided:
        call.state_values[name] = state.value
    if not isinstance(entry.shadow, Marker):
        call.before[name] = entry.shadow
    return True


def _of_state(target: Recipient, mapped: FieldMap) -> Raw:
    """Give the state's value as this side would hold it; None if there is none, or it cannot."""
    state = target.state(mapped.name)
    if not state.rev or state.value is None or not target.receives(mapped.name):
        return None
    raw = mapped.write(state.value)
    return None if isinstance(raw, NotCarried) else raw


def value_to_write(mapped: FieldMap, value: object, able: Writable) -> Raw | NotCarried:
    """Give the state's value as the system would hold it, cut to the length that it declares."""
    raw = mapped.write(value)
    return raw[: able.max_length] if able.max_length and isinstance(raw, str) else raw
