"""Groups the fields that are due into the vendor's calls, with whatever else each call sets.

The unit of a plan is a call (rule F20). All that a call sets is on its list, so that nothing that
we cause looks like the doing of a human afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bridge.core.mapping.fieldmap import FieldMap
from bridge.core.merge.case import Rules
from bridge.core.merge.equality import decision_holds
from bridge.core.model.capabilities import EntityCapabilities, Verb, Writable
from bridge.core.model.outcome_codes import Code
from bridge.core.model.state import FieldState, Link, Note, Side, SideField
from bridge.core.model.values import Canonical, Marker, NotCarried, Raw

EMPTY_VALUES: tuple[Raw, ...] = (None, "", [], ())


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """One remote call that would bring a side nearer to the state."""

    verb: str
    body: dict[str, Raw]
    """What it carries, by write key; for an element verb the one element."""
    sent: dict[str, Raw]
    """The whole raw value expected afterwards, by canonical field.

    Also of fields that the call only sets besides.
    """
    before: dict[str, Raw]
    """By canonical field: the whole raw value that the side showed when this was planned."""
    state_values: dict[str, Canonical]
    """The state's value that each field is written for, unless it is set to something else."""
    revs: dict[str, int]
    """By canonical field: the side's level in it once the call has landed."""
    destructive: tuple[str, ...] = ()
    """What would be lost, in words: a value emptied, a tag removed, a close after a deletion."""


@dataclass(frozen=True, slots=True)
class Want:
    """One field to be written whole, before it is known which call does it."""

    name: str
    key: str
    raw: Raw
    """Of a set: all its elements."""
    destructive: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipient:
    """The side that is planned for, and all that a plan looks at.

    Decisions to leave something alone are kept on the side's fields, and noted.
    """

    link: Link
    side: Side
    rules: Rules
    capabilities: EntityCapabilities
    notes: list[Note] = field(default_factory=list)

    @property
    def fields(self) -> Mapping[str, FieldMap]:
        """Return the mapped fields of the side's connection."""
        return self.rules.maps[self.side.connection].fields

    def entry(self, name: str) -> SideField:
        """Return a field as the side last showed it, an empty one if it never did."""
        return self.side.fields.get(name) or SideField()

    def state(self, name: str) -> FieldState:
        """Return the agreed state of a field, one never set if it has none."""
        return self.link.state.get(name) or FieldState()

    def receives(self, name: str) -> bool:
        """Return whether the sync sends the field to this connection."""
        to = self.rules.policy(name).to
        return to is None or self.side.connection in to

    def decline(self, name: str, reason: NotCarried, *used: str) -> None:
        """Leave a field alone for as long as it, and the `used` fields, stand as they are.

        The decision is remembered by the revisions of all fields that it looked at (rule F20), and
        noted once. It moves no level (rule F5).
        """
        entry = self.side.fields[name]
        known = decision_holds(entry, self.link.state) and entry.decided_why == reason.why
        entry.decided = {field: self.state(field).rev for field in (name, *used)}
        entry.decided_why, entry.decided_code = reason.why, reason.code
        entry.open_to_review = True
        if not known:
            self._note_not_carried(name, reason)

    def decline_element(self, name: str, element: str, reason: NotCarried) -> None:
        """Leave one element of a set alone until somebody decides about it anew (rule F14)."""
        rev = self.state(name).elements[element].rev
        self.side.fields[name].lacks[element] = rev
        self._note_not_carried(name, reason, element=element)

    def _note_not_carried(self, name: str, reason: NotCarried, **about: object) -> None:
        """Add a line to the timeline: something is not carried to this side."""
        rev = self.state(name).rev
        detail = about | {"why": reason.why, "code": reason.code, "rev": rev}
        self.notes.append(Note("not carried", self.side.connection, name, detail))


def group_into_calls(recipient: Recipient, wants: Iterable[Want]) -> list[PlannedCall]:
    """Return the calls that write the wanted fields.

    Verbs that set more than they are asked for come first: they may cover other wants. A field that
    no verb sets to its value is declined.
    """
    left = {want.key: want for want in wants}
    calls: list[PlannedCall] = []
    for verb in sorted(recipient.capabilities.verbs, key=lambda verb: not verb.also):
        taken = [left[key] for key in verb.writes if key in left]
        if verb.element or not taken or not _is_for(verb, left):
            continue
        for want in taken:
            del left[want.key]
        call = _compose(recipient, verb, taken)
        if call is not None:
            calls.append(call)
            left = {key: want for key, want in left.items() if not _covers(call, want)}
    for want in left.values():
        why = f"no call of this system sets {want.key} to {want.raw!r}"
        recipient.decline(want.name, NotCarried(why, Code.SYSTEM_NEEDS))
    return calls


def _is_for(verb: Verb, wants: Mapping[str, Want]) -> bool:
    """Return whether the verb is there for the values that are wanted."""
    return all(key in wants and wants[key].raw in values for key, values in verb.only_for.items())


def _covers(call: PlannedCall, want: Want) -> bool:
    """Return whether a call sets what is wanted, be it besides."""
    return want.key in call.body and bool(call.body[want.key] == want.raw)


def _compose(recipient: Recipient, verb: Verb, taken: list[Want]) -> PlannedCall | None:
    """Return one call with all that it sets.

    None if it has to wait, or cannot be made as things stand; then the wants are declined.
    """
    call = _call_for(recipient, verb, taken)
    by_key = {field_map.write_key: field_map for field_map in recipient.fields.values()}
    for key in verb.also:
        if key in call.body:
            continue
        field_map = by_key.get(key)
        if field_map is not None and recipient.state(field_map.name).candidates is not None:
            return None  # a conflict about its value is open: the whole call waits (rule F18)
        if not _add_need(recipient, verb, key, field_map, call):
            why = f"{verb.name} needs {key}, and nothing gives it a value"
            reason = NotCarried(why, Code.SYSTEM_NEEDS)
            for want in taken:
                used = () if field_map is None else (field_map.name,)
                recipient.decline(want.name, reason, *used)
            return None
    return call


def _call_for(recipient: Recipient, verb: Verb, taken: list[Want]) -> PlannedCall:
    """Return a call that sets what is wanted, and nothing besides yet."""
    return PlannedCall(
        verb=verb.name,
        body={want.key: want.raw for want in taken},
        sent={want.name: want.raw for want in taken},
        before={want.name: recipient.entry(want.name).shadow for want in taken},
        state_values={want.name: recipient.state(want.name).value for want in taken},
        revs={want.name: recipient.state(want.name).rev for want in taken},
        destructive=tuple(loss for want in taken for loss in want.destructive),
    )


def _add_need(
    recipient: Recipient, verb: Verb, key: str, field_map: FieldMap | None, call: PlannedCall
) -> bool:
    """Add a key that the verb sets besides to a call; False if nothing gives it a value.

    It takes the state's value, else the side's own, else the declared one (rule F20).
    """
    if field_map is None:
        raw = verb.fallback.get(key)
        if raw is not None:
            call.body[key] = raw
        return raw is not None
    name, state, entry = (
        field_map.name,
        recipient.state(field_map.name),
        recipient.entry(field_map.name),
    )
    raw = _state_as_raw(recipient, field_map)
    from_state = raw is not None
    if raw is None and not isinstance(entry.shadow, Marker) and not entry.unreadable:
        raw = entry.shadow
    if raw is None:
        raw = verb.fallback.get(key)
    if raw is None:
        return False
    call.body[key] = call.sent[name] = raw
    # Only the state's own value brings the side level; any other leaves it where it was.
    call.revs[name] = state.rev if from_state else entry.level
    if from_state:
        call.state_values[name] = state.value
    if not isinstance(entry.shadow, Marker):
        call.before[name] = entry.shadow
    return True


def _state_as_raw(recipient: Recipient, field_map: FieldMap) -> Raw:
    """Return the state's value as this side would hold it; None if there is none, or it cannot."""
    state = recipient.state(field_map.name)
    if not state.rev or state.value is None or not recipient.receives(field_map.name):
        return None
    raw = field_map.write(state.value)
    return None if isinstance(raw, NotCarried) else raw


def value_to_write(field_map: FieldMap, value: Canonical, writable: Writable) -> Raw | NotCarried:
    """Return a canonical value as the system would hold it, cut to the length that it declares."""
    raw = field_map.write(value)
    return raw[: writable.max_length] if writable.max_length and isinstance(raw, str) else raw
