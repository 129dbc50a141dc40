"""What a connection still needs to say what the state says: calls on its record, or a record in the first place.

Planning looks at the ledger alone and never moves a level: only reading or writing a side does. The
one thing it puts down is a decision to leave something alone, with the revisions that the decision
was made for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bridge.core.mapping.fieldmap import FieldMap
from bridge.core.merge.case import Rules
from bridge.core.merge.equality import (
    agrees,
    decision_holds,
    elements_of,
    lack_holds,
    present_elements,
    read_set,
)
from bridge.core.merge.lifecycle import is_to_be_deleted
from bridge.core.model.capabilities import EntityCapabilities, Support, Verb, Writable
from bridge.core.model.state import NEVER, Link, Note, Side
from bridge.core.model.values import NO_BASE, NotCarried, Raw
from bridge.core.planning.calls import (
    EMPTY_VALUES,
    PlannedCall,
    Recipient,
    Want,
    group_into_calls,
    value_to_write,
)
from bridge.core.planning.creation import CreatePlan, plan_create


@dataclass(frozen=True, slots=True)
class Plan:
    """What one connection needs: calls in their order, or a create, and what was decided on the way."""

    calls: list[PlannedCall] = field(default_factory=list)
    create: CreatePlan | None = None
    notes: list[Note] = field(default_factory=list)
    delete: bool = False
    """The record is to be deleted, because it was deleted elsewhere and the sync says so."""


def plan(
    link: Link,
    connection: str,
    rules: Rules,
    capabilities: EntityCapabilities,
    probed: Mapping[str, bool],
    *,
    carrying: bool = False,
) -> Plan:
    """Plan for one connection of a link. `probed` says which uncertain capabilities turned out to work.

    An open attempt stops its side. A caller that opens attempts by `merge.carry` says `carrying`:
    then one of which only unreadable fields are left stops those fields alone, for it may stay open
    for good.
    """
    if link.paused or connection not in rules.sync.members or connection not in rules.maps:
        return Plan()
    side = link.sides.get(connection)
    if side is None:
        return Plan(create=plan_create(link, connection, rules, capabilities, probed))
    if side.tombstone or side.missing_since is not None or not side.in_scope:
        return Plan()
    if (
        capabilities.deletes
        and rules.sync.members[connection].allow_delete
        and is_to_be_deleted(link, rules)
    ):
        return Plan(
            delete=True
        )  # done twice it does no harm, so that an open attempt is no obstacle
    if _busy(side, carrying=carrying):
        return Plan()
    target = Recipient(link, side, rules, capabilities)
    certain, unproven, steps = _wants(target, probed)
    calls = group_into_calls(target, certain)
    for want in unproven:  # alone, so that a refusal costs nothing else and shows which key it was
        calls += group_into_calls(target, [want])
    # What may be held by the guard comes last, and holds up nothing but itself.
    return Plan(
        calls=sorted([*calls, *steps], key=lambda call: bool(call.destructive)), notes=target.notes
    )


def mark_tried(link: Link, connection: str, call: PlannedCall) -> None:
    """Remember, when a call is about to be sent, that an unreadable set was tried at this revision."""
    for name in call.sent:
        entry = link.sides[connection].fields.get(name)
        if entry is not None and entry.unreadable:
            entry.tried = call.revs[name]


def forget_tried(link: Link, connection: str, call: PlannedCall) -> None:
    """Take that back, because the call certainly did nothing: the same may be tried again, and another element too."""
    for name in call.sent:
        entry = link.sides[connection].fields.get(name)
        if entry is not None:
            entry.tried = NEVER


def _busy(side: Side, *, carrying: bool) -> bool:
    """Tell whether an open attempt forbids any other write to the side."""
    if side.attempt is None:
        return False
    return not carrying or any(
        name not in side.fields or not side.fields[name].unreadable for name in side.attempt.sent
    )


def _wants(
    target: Recipient, probed: Mapping[str, bool]
) -> tuple[list[Want], list[Want], list[PlannedCall]]:
    """Give the fields to be written whole, those of which nobody knows whether it works, and calls for elements."""
    certain: list[Want] = []
    unproven: list[Want] = []
    steps: list[PlannedCall] = []
    for name, mapped in target.fields.items():
        if not _due(target, mapped):
            continue
        key, why = mapped.write_key, _barred(target, mapped, probed)
        if why or key is None:
            target.decline(name, why)
            continue
        able = target.capabilities.writable[key]
        want: Want | None
        if mapped.is_set:
            want, calls = _set(target, mapped, key, able)
            steps += calls
        else:
            want = _scalar(target, mapped, key, able)
        if want is not None:
            (
                unproven if able.on_update is Support.PROBED and key not in probed else certain
            ).append(want)
    return certain, unproven, steps


def _due(target: Recipient, mapped: FieldMap) -> bool:
    """Tell whether there is anything to be said to the side about a field."""
    entry, state, attempt = (
        target.entry(mapped.name),
        target.state(mapped.name),
        target.side.attempt,
    )
    if attempt is not None and mapped.name in attempt.sent:
        return False
    decided = decision_holds(entry, target.link.state)
    if decided and not entry.open_to_review:
        return False
    if not state.rev or state.candidates is not None or (entry.level >= state.rev and not decided):
        return False
    if entry.shadow is NO_BASE or entry.map_rev != mapped.revision:
        return False
    if entry.unreadable and not (mapped.is_set and entry.tried < state.rev):
        return False
    return not agrees(mapped, entry, entry.shadow, state)


def _barred(target: Recipient, mapped: FieldMap, probed: Mapping[str, bool]) -> str:
    """Say why the field is never written there, whatever its value; empty if it is."""
    key, connection = mapped.write_key, target.side.connection
    if key is None:
        return f"the mapping of {connection} only reads it"
    able = target.capabilities.writable.get(key)
    if not target.receives(mapped.name):
        return f"the sync does not send it to {connection}"
    if not mapped.on_update:
        return f"the mapping of {connection} writes it only on create"
    if able is None or able.on_update is Support.NO:
        return f"{connection} does not let {key} be changed"
    if able.on_update is Support.PROBED and probed.get(key) is False:
        return f"this deployment ignores {key}"
    return ""


# --- one value
# -----------------------------------------------------------------------------------------------------


def _scalar(target: Recipient, mapped: FieldMap, key: str, able: Writable) -> Want | None:
    name, shadow = mapped.name, target.entry(mapped.name).shadow
    raw = value_to_write(mapped, target.state(name).value, able)
    if isinstance(raw, NotCarried):
        target.decline(name, raw.why)
        return None
    if raw == shadow:  # a cut text: the side says as much of the state as it can hold
        return None
    why = _cannot_move(key, shadow, raw, able)
    if why:
        target.decline(name, why)
        return None
    return Want(name, key, raw, _destroys(target, name, shadow, raw))


def _cannot_move(key: str, shadow: Raw, raw: Raw, able: Writable) -> str:
    """Say why the system does not let its present value become the wanted one; empty if it does."""
    if raw is None and not able.clears:
        return f"{key} cannot be emptied"
    if not able.forward or shadow is None:
        return ""
    if shadow not in able.forward or raw not in able.forward:
        return f"{key} moves only along {', '.join(map(str, able.forward))}; not from {shadow!r} to {raw!r}"
    if able.forward.index(raw) < able.forward.index(shadow):
        return f"{key} moves only forward, not from {shadow!r} to {raw!r}"
    return ""


def _destroys(target: Recipient, name: str, shadow: Raw, raw: Raw) -> tuple[str, ...]:
    """Say what is lost by the write, if anything."""
    if raw in EMPTY_VALUES and shadow not in EMPTY_VALUES:
        return (f"{name}: emptied, was {shadow!r}",)
    state = target.state(name)
    setter = target.link.sides.get(state.set_by)
    if name != "status" or state.value != "closed" or setter is None:
        return ()
    if setter.tombstone:
        return (f"status: closed, because {state.set_by} deleted its record",)
    if not setter.in_scope:
        return (f"status: closed, because its record left the scope on {state.set_by}",)
    return ()


# --- sets
# ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Verbs:
    """The calls by which a set can be changed there."""

    add: Verb | None = None
    remove: Verb | None = None
    replace: Verb | None = None

    @classmethod
    def of(cls, capabilities: EntityCapabilities, key: str) -> _Verbs:
        """Find them."""
        found: dict[str, Verb] = {}
        for verb in capabilities.verbs:
            if key in verb.writes:
                found.setdefault(verb.element, verb)
        return cls(found.get("add"), found.get("remove"), found.get(""))


def _set(
    target: Recipient, mapped: FieldMap, key: str, able: Writable
) -> tuple[Want | None, list[PlannedCall]]:
    """Give one replacing write, or a call for each element. The side's own spellings stay as they are."""
    name = mapped.name
    entry, state, verbs = (
        target.entry(name),
        target.state(name),
        _Verbs.of(target.capabilities, key),
    )
    wanted = present_elements(state)
    here = read_set(mapped, entry, entry.shadow, wanted)
    extra = sorted(each for each in here.keys() - wanted if not lack_holds(entry, state, each))
    fresh = _forms(target, mapped, sorted(wanted - here.keys()), verbs)
    if (
        entry.unreadable
    ):  # never a replacing write onto what could not be read: it would wipe what is not shown
        return None, _steps(target, name, key, verbs, fresh, {})
    why = _cannot_remove(key, able, verbs)
    kept = [raw for raw in elements_of(entry.shadow) if not _goes(target, mapped, raw, set(extra))]
    if extra and not why and not kept and not fresh and not able.clears:
        why = f"{key} cannot be emptied"
    if why:
        unknown = [each for each in extra if each not in state.elements]
        for each in extra:
            if each not in unknown:
                target.lack(name, each, why)
        if unknown and not fresh:
            target.decline(name, f"{why}: {', '.join(unknown)}")
        extra, kept = [], elements_of(entry.shadow)
    if (fresh and verbs.add is None) or (extra and verbs.remove is None):
        whole = list(dict.fromkeys([*kept, *fresh.values()]))
        return Want(name, key, whole, tuple(f"{name}: {each!r} removed" for each in extra)), []
    going = {
        raw: each
        for each in extra
        for raw in elements_of(entry.shadow)
        if _goes(target, mapped, raw, {each})
    }
    return None, _steps(target, name, key, verbs, fresh, going)


def _goes(target: Recipient, mapped: FieldMap, raw: Raw, extra: set[str]) -> bool:
    """Tell whether a raw element stands for nothing but elements that are to go. What cannot be read stays."""
    wanted = present_elements(target.state(mapped.name))
    stands_for = read_set(mapped, target.entry(mapped.name), [raw], wanted).keys()
    return bool(stands_for) and stands_for <= extra


def _forms(
    target: Recipient, mapped: FieldMap, missing: list[str], verbs: _Verbs
) -> dict[str, Raw]:
    """Give the missing elements as this system writes them; those that it does not take are put down."""
    entry, state = target.entry(mapped.name), target.state(mapped.name)
    forms: dict[str, Raw] = {}
    for each in missing:
        if lack_holds(entry, state, each):
            continue
        raw = mapped.write(each)
        if isinstance(raw, NotCarried):
            target.lack(mapped.name, each, raw.why)
        elif verbs.add is None and verbs.replace is None:
            target.lack(mapped.name, each, f"{mapped.write_key} cannot be added to")
        else:
            forms[each] = raw
    return forms


def _cannot_remove(key: str, able: Writable, verbs: _Verbs) -> str:
    """Say why elements cannot be taken out; empty if they can."""
    if not able.removes or (verbs.remove is None and verbs.replace is None):
        return f"nothing can be removed from {key}"
    return ""


def _steps(
    target: Recipient,
    name: str,
    key: str,
    verbs: _Verbs,
    fresh: Mapping[str, Raw],
    going: Mapping[Raw, str],
) -> list[PlannedCall]:
    """Add and remove one element a call, each from where the one before leads."""
    calls = []
    now = elements_of(target.entry(name).shadow)
    for raw in fresh.values():
        if verbs.add is not None:
            after = [*now, raw]
            calls.append(target.call(verbs.add, Want(name, key, raw), now, after))
            now = after
    for raw, element in going.items():
        if verbs.remove is not None:
            after = [each for each in now if each != raw]
            calls.append(
                target.call(
                    verbs.remove,
                    Want(name, key, raw, (f"{name}: {element!r} removed",)),
                    now,
                    after,
                )
            )
            now = after
    return calls
