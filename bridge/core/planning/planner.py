"""The planner: which calls, or which new record, bring one side level with the agreed state.

It looks at the ledger alone and never moves a level: only reading or writing a side does (rule F5).
The one thing that it writes down is a decision to leave something alone, with the revisions of all
fields that the decision looked at (rule F20).

A write has six shapes on its way to the vendor, because each knows something that the others don't:

- `Want`: one field and its new raw value; which call will set it is still open.
- `PlannedCall`: one call with all the fields that it sets, before it is sure to be made.
- `Attempt`: that call, committed with its deadline before it is sent; what closes it is a read.
- `CreatePlan`: the values of a record that does not exist; it has no `before` and no side.
- `Draft` (connectors): what a connector needs of it, with the marker by which it is found again.
- `PlannedWrite`: what is foretold of any of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bridge.core.mapping.fieldmap import FieldMap
from bridge.core.merge.case import Rules
from bridge.core.merge.equality import agrees, decision_holds
from bridge.core.merge.lifecycle import is_to_be_deleted
from bridge.core.model.capabilities import EntityCapabilities, Support, Writable, refused_value
from bridge.core.model.outcome_codes import Code
from bridge.core.model.state import NEVER, FieldState, Link, Note, Side, SideField
from bridge.core.model.values import NO_BASE, NotCarried, Raw, same_json
from bridge.core.planning.calls import (
    EMPTY_VALUES,
    PlannedCall,
    Recipient,
    Want,
    group_into_calls,
    value_to_write,
)
from bridge.core.planning.creation import CreatePlan, plan_create
from bridge.core.planning.set_plans import plan_set

DELETES = "delete"
"""The name under which it is remembered whether a connection deletes records at all."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one connection needs: calls in their order, or a create, or a delete; or nothing."""

    calls: list[PlannedCall] = field(default_factory=list)
    create: CreatePlan | None = None
    notes: list[Note] = field(default_factory=list)
    """What was decided on the way: lines for the timeline."""
    delete: bool = False
    """The record is to be deleted, because it was deleted elsewhere and the sync says so."""


def plan(
    link: Link,
    connection: str,
    rules: Rules,
    capabilities: EntityCapabilities,
    probed: Mapping[str, bool],
    *,
    leftover_only: bool = False,
) -> Plan:
    """Return what one connection of a link needs. Never moves a level, never sends anything.

    `probed` says which uncertain capabilities turned out to work. An open attempt forbids other
    writes to its side. With `leftover_only`, one that waits only for unreadable fields blocks just
    these: the caller then takes them over (`observations.open_attempt`).
    """
    if link.paused or connection not in rules.sync.members or connection not in rules.maps:
        return Plan()
    side = link.sides.get(connection)
    if side is None:
        return Plan(create=plan_create(link, connection, rules, capabilities, probed))
    # A tombstone is a side too: it keeps the record from being created again (rule F21).
    if side.tombstone or side.missing_since is not None or not side.in_scope:
        return Plan()
    allowed = rules.sync.members[connection].allow_delete
    if allowed and can_delete(capabilities, probed) and is_to_be_deleted(link, rules):
        # Done twice it does no harm, so an open attempt is no obstacle.
        return Plan(delete=True)
    if _is_busy(side, leftover_only=leftover_only):
        return Plan()
    recipient = Recipient(link, side, rules, capabilities)
    return Plan(calls=_plan_calls(recipient, probed), notes=recipient.notes)


def can_delete(capabilities: EntityCapabilities, probed: Mapping[str, bool]) -> bool:
    """Return whether the system deletes records, as far as is known of this connection."""
    return capabilities.deletes is not Support.NO and probed.get(DELETES, True)


def mark_tried(link: Link, connection: str, call: PlannedCall) -> None:
    """Remember, when a call is about to be sent, that an unreadable set was tried (rule F15).

    Once a revision is enough: the answer proves the field or leaves it unreadable.
    """
    for name in call.sent:
        entry = link.sides[connection].fields.get(name)
        if entry is not None and entry.unreadable:
            entry.tried = call.revs[name]


def forget_tried(link: Link, connection: str, call: PlannedCall) -> None:
    """Take `mark_tried` back, because the call certainly did nothing: it may be tried again."""
    for name in call.sent:
        entry = link.sides[connection].fields.get(name)
        if entry is not None:
            entry.tried = NEVER


def _is_busy(side: Side, *, leftover_only: bool) -> bool:
    """Return whether an open attempt forbids any other write to the side (rule F3)."""
    if side.attempt is None:
        return False
    return not leftover_only or any(
        name not in side.fields or not side.fields[name].unreadable for name in side.attempt.sent
    )


def _plan_calls(recipient: Recipient, probed: Mapping[str, bool]) -> list[PlannedCall]:
    """Return the calls for all fields that are due, in the order in which they are to be made."""
    proven: list[Want] = []
    unproven: list[Want] = []
    element_calls: list[PlannedCall] = []
    for name, field_map in recipient.fields.items():
        if not _is_due(recipient, field_map):
            continue
        connection, key = recipient.side.connection, field_map.write_key
        never = why_never_written(
            connection, field_map, recipient.rules, recipient.capabilities, probed
        )
        if never is not None:
            recipient.decline(name, never)
        if never is not None or key is None:
            continue
        writable = recipient.capabilities.writable[key]
        if field_map.is_set:
            want, calls = plan_set(recipient, field_map, key, writable)
            element_calls += calls
        else:
            want = _plan_scalar(recipient, field_map, key, writable, probed)
        if want is not None:
            untried = writable.on_update is Support.PROBED and key not in probed
            (unproven if untried else proven).append(want)
    calls = group_into_calls(recipient, proven)
    for want in unproven:
        # Alone, so that a refusal costs nothing else and shows which key it was.
        calls += group_into_calls(recipient, [want])
    # What may be held by the guard comes last, and holds up nothing but itself.
    return sorted([*calls, *element_calls], key=lambda call: bool(call.destructive))


# --- which fields are due -------------------------------------------------------------------------


def _is_due(recipient: Recipient, field_map: FieldMap) -> bool:
    """Return whether there is anything that the side has to be told about a field.

    A level that is up to date, or a decision that holds, ends the matter (rule F5); a decision that
    was made from what is declared is made again, for the declaration may have changed. A level that
    may rest on a decision ends nothing once that has fallen.
    """
    entry, state = recipient.entry(field_map.name), recipient.state(field_map.name)
    attempt = recipient.side.attempt
    if attempt is not None and field_map.name in attempt.sent:
        return False
    decided = decision_holds(entry, recipient.link.state)
    if decided and not entry.open_to_review:
        return False
    if not state.rev or state.candidates is not None:
        return False  # never set, or frozen by an open conflict (rule F18)
    was_decided = (entry.decided or {}).get(field_map.name) == state.rev
    if entry.level >= state.rev and not was_decided:
        return False
    if not _may_be_compared(field_map, entry, state):
        return False
    return not agrees(field_map, entry, entry.shadow, state)


def _may_be_compared(field_map: FieldMap, entry: SideField, state: FieldState) -> bool:
    """Return whether the shadow is a base to plan from.

    It is none if the field was never read by the present mapping (rules F10, F19) or cannot be read
    now; to an unreadable set one may try to add once a revision (rule F15).
    """
    if entry.shadow is NO_BASE or entry.map_rev != field_map.revision:
        return False
    return not entry.unreadable or (field_map.is_set and entry.tried < state.rev)


def why_never_written(
    connection: str,
    field_map: FieldMap,
    rules: Rules,
    capabilities: EntityCapabilities,
    probed: Mapping[str, bool],
) -> NotCarried | None:
    """Return why a field is never written there, whatever its value; None if it is."""
    key, to = field_map.write_key, rules.policy(field_map.name).to
    if key is None:
        return NotCarried(f"the mapping of {connection} only reads it", Code.MAP_ONLY_READ)
    writable = capabilities.writable.get(key)
    if to is not None and connection not in to:
        return NotCarried(f"the sync does not send it to {connection}", Code.SYNC_NOT_SENT)
    if not field_map.on_update:
        why = f"the mapping of {connection} writes it only on create"
        return NotCarried(why, Code.MAP_ONLY_READ)
    if writable is None or writable.on_update is Support.NO:
        return NotCarried(f"{connection} does not let {key} be changed", Code.SYSTEM_FIXED)
    if writable.on_update is Support.PROBED and probed.get(key) is False:
        return NotCarried(f"this deployment ignores {key}", Code.SYSTEM_IGNORES)
    return None


# --- fields that are one value --------------------------------------------------------------------


def _plan_scalar(
    recipient: Recipient,
    field_map: FieldMap,
    key: str,
    writable: Writable,
    probed: Mapping[str, bool],
) -> Want | None:
    """Return the write of a field that is one value; None if it is declined, or needs none."""
    name, shadow = field_map.name, recipient.entry(field_map.name).shadow
    raw = value_to_write(field_map, recipient.state(name).value, writable)
    if isinstance(raw, NotCarried):
        recipient.decline(name, raw)
        return None
    if same_json(raw, shadow):
        return None  # a cut text: the side says as much of the state as it can hold
    reason = _why_not_movable(key, shadow, raw, writable)
    if probed.get(refused_value(key, raw)) is False:
        reason = NotCarried(f"this deployment refuses {key} {raw!r}", Code.SYSTEM_VALUE)
    if reason is not None:
        recipient.decline(name, reason)
        return None
    return Want(name, key, raw, _losses(recipient, name, shadow, raw))


def _why_not_movable(key: str, shadow: Raw, raw: Raw, writable: Writable) -> NotCarried | None:
    """Return why the system does not let a value become another; None if it does."""
    if raw is None and not writable.clears:
        return NotCarried(f"{key} cannot be emptied", Code.SYSTEM_FIXED)
    order = writable.forward
    if not order or shadow is None:
        return None
    if shadow not in order or raw not in order:
        steps = ", ".join(map(str, order))
        why = f"{key} moves only along {steps}; not from {shadow!r} to {raw!r}"
        return NotCarried(why, Code.SYSTEM_FIXED)
    if order.index(raw) < order.index(shadow):
        why = f"{key} moves only forward, not from {shadow!r} to {raw!r}"
        return NotCarried(why, Code.SYSTEM_FIXED)
    return None


def _losses(recipient: Recipient, name: str, shadow: Raw, raw: Raw) -> tuple[str, ...]:
    """Return what is lost by a write, in words: it counts as destructive for the guard."""
    if raw in EMPTY_VALUES and shadow not in EMPTY_VALUES:
        return (f"{name}: emptied, was {shadow!r}",)
    state = recipient.state(name)
    setter = recipient.link.sides.get(state.set_by)
    if name != "status" or state.value != "closed" or setter is None:
        return ()
    if setter.tombstone:
        return (f"status: closed, because {state.set_by} deleted its record",)
    if not setter.in_scope:
        return (f"status: closed, because its record left the scope on {state.set_by}",)
    return ()
