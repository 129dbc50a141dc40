"""The entrance of the merge: takes a read, or the answer to a write, into the agreed state.

`absorb` is the one door: every observation goes through it, also one that shows nothing new. It
decides only about the past (what did a human do, what did we do); what is to be written next is the
planner's question. Nothing here knows a system, a clock or a database.

In one observation, each field that can be read goes this way:

1. A part of an open attempt: the attempt is closed by what was read (rules F1, F3).
2. No base: first contact (rules F10, F19).
3. Differs from the shadow: a change, which is merged (`scalars` or `sets`).
4. Equal to the shadow: no news.

Afterwards the side is level in every field that agrees with the state (rule F5).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from bridge.core.mapping.fieldmap import same_declaration
from bridge.core.merge import scalars, sets
from bridge.core.merge.case import MAPPING, Case, Observation, Rules
from bridge.core.merge.equality import decision_holds, elements_of, same_raw
from bridge.core.merge.lifecycle import record_returned
from bridge.core.merge.making import translate_made, translate_state
from bridge.core.merge.policies import review_conflict
from bridge.core.model.limits import MAX_KNOWN_ELEMENTS
from bridge.core.model.outcome_codes import Code
from bridge.core.model.state import NEVER, Attempt, FieldState, Link, Note, Side, SideField
from bridge.core.model.values import ABSENT, NO_BASE, Marker, Raw, Unreadable

NOT_SHOWN = "the record did not show the field"

CaseAndValue = tuple[Case, Raw]


def is_believable(side: Side, obs: Observation, settle: float, lag: float = 0.0) -> bool:
    """Return whether a read may be absorbed.

    Some vendors date a record by its newest message, so an older version is not always an older
    record. A read whose version stepped back is remembered, and believed when the same is read
    again after `settle` seconds (rule F8), and not within `lag` seconds of what was read or
    answered last: for so long the vendor may show the record as it was before.
    """
    back = obs.version is not None and side.version is not None and obs.version < side.version
    if obs.own or not back:
        side.suspect = None
        return True
    digest = _digest(obs)
    suspect = side.suspect
    if suspect is None or suspect["digest"] != digest:
        side.suspect = {"digest": digest, "at": obs.read_at.isoformat()}
        return False
    settled_at = datetime.fromisoformat(suspect["at"]) + timedelta(seconds=settle)
    shown_by = (side.read_at or settled_at) + timedelta(seconds=lag)
    if obs.read_at < max(settled_at, shown_by):
        return False
    side.suspect = None
    return True


def _digest(obs: Observation) -> str:
    """Return a hash of what an observation shows."""
    shown = json.dumps([obs.version, dict(obs.values)], default=repr, sort_keys=True)
    return hashlib.sha256(shown.encode()).hexdigest()


def absorb(link: Link, obs: Observation, rules: Rules) -> list[Note]:
    """Take one observation of a side of the link into the state.

    Changes the link in place and returns the lines for its timeline. Never plans or sends anything.
    """
    side = link.sides[obs.connection]
    if side.read_at is not None and obs.read_at < side.read_at:
        return [Note("stale", obs.connection, "", {"read_at": obs.read_at.isoformat()})]
    notes = record_returned(link, side, obs.read_at, rules)
    cases = readable_cases(link, side, obs, rules, notes)
    for case, raw in cases:
        translate_made(case, raw)  # before any other field asks for it
    ours = _close_attempt(side, cases, obs)
    for case, raw in cases:
        if case.name not in ours:
            merge_value(case, raw)
        translate_state(case, raw)
        mark_level_if_in_step(case, raw)
        case.entry.seen_at = obs.read_at
    _note_touch(side, obs, notes)
    side.version = obs.version if obs.version is not None else side.version
    side.read_at = obs.read_at
    return notes


def merge_value(case: Case, raw: Raw) -> None:
    """Decide what a readable value is: the first ever, no news, or a change."""
    entry, merge = case.entry, sets if case.field_map.is_set else scalars
    if _was_edited_beside_a_change(case, raw):
        read_by_new_mapping(case, entry.shadow)
    if entry.shadow is NO_BASE or entry.map_rev != case.field_map.revision:
        merge.first_contact(case, raw)
    elif not same_raw(case.field_map, entry.shadow, raw):
        merge.change(case, raw)
    else:
        review_conflict(case)


def _was_edited_beside_a_change(case: Case, raw: Raw) -> bool:
    """Return whether a field shows another raw value than it showed to the mapping before.

    If both take it from the same place, that is an edit, whatever either makes of it (rule F19).
    """
    entry, field_map = case.entry, case.field_map
    before = entry.map_rev
    return (
        bool(before and entry.taken_from)
        and entry.shadow is not NO_BASE
        and entry.taken_from == field_map.taken_from
        and not same_declaration(before, field_map.revision)
        and not same_raw(field_map, entry.shadow, raw)
    )


def read_by_new_mapping(case: Case, raw: Raw) -> None:
    """Read what a side showed last by the mapping that is in force now (rule F19).

    Afterwards it is a base again. Whoever had set the state did so when they did.
    """
    state = case.state
    since, rev = (state.lo, state.hi), state.rev
    if case.field_map.is_set and state.candidates is None:
        sets.move_elements(case)
    merge_value(case, raw)
    if state.set_by == MAPPING and state.rev > rev:
        state.lo, state.hi = since


def mark_level_if_in_step(case: Case, raw: Raw) -> None:
    """Move the level of a side that was seen in step with the state (rule F5).

    A decision to leave the field alone stays on record beside the level.
    """
    if case.is_behind() and (case.agrees(raw) or decision_holds(case.entry, case.link.state)):
        case.entry.level = case.state.rev


def _note_touch(side: Side, obs: Observation, notes: list[Note]) -> None:
    """Record that somebody did something that is not mirrored (rule F22).

    An edit that was put back between two reads looks like this too.
    """
    if (
        not notes
        and not obs.own
        and None not in (side.version, obs.version)
        and obs.version != side.version
    ):
        detail = {"version": obs.version}
        notes.append(Note("touched, no mapped change", side.connection, "", detail))


# --- what can be read -----------------------------------------------------------------------------


def readable_cases(
    link: Link, side: Side, obs: Observation, rules: Rules, notes: list[Note]
) -> list[CaseAndValue]:
    """Return the fields that say something, each with its raw value.

    The others are set aside: they keep shadow, level and their part of an attempt (rule F15).
    """
    cases: list[CaseAndValue] = []
    for case, raw in observed_cases(link, side, obs, rules, notes):
        unreadable = _unreadable(case, raw)
        if unreadable is not None:
            _set_aside(case, raw, unreadable)
            continue
        if case.entry.unreadable:
            _take_shown_for_base(case, raw)
            case.entry.unreadable, case.entry.unreadable_code = "", ""
            case.entry.shown, case.entry.tried = None, NEVER
        cases.append((case, raw))
    return cases


def observed_cases(
    link: Link, side: Side, obs: Observation, rules: Rules, notes: list[Note]
) -> Iterator[CaseAndValue]:
    """Yield the mapped fields that were looked at, readable or not, each with its raw value."""
    for name, field_map in rules.maps[obs.connection].fields.items():
        if name in obs.values:
            entry = side.fields.setdefault(name, SideField())
            state = link.state.setdefault(name, FieldState())
            yield (
                Case(link, side, obs, rules, name, field_map, entry, state, notes),
                obs.values[name],
            )


def _unreadable(case: Case, raw: object) -> Unreadable | None:
    """Return why a value says nothing; None if it does say something."""
    if raw is ABSENT:
        return Unreadable(NOT_SHOWN, Code.READ_ABSENT)
    if isinstance(raw, Unreadable):
        return raw
    if case.field_map.is_set:
        known = len(case.state.elements) + len(elements_of(raw))
        if known > MAX_KNOWN_ELEMENTS:
            allowed = f"at most {MAX_KNOWN_ELEMENTS:,} are remembered of one ticket"
            why = f"too many different elements: {known:,} came and went, {allowed}"
            return Unreadable(why, Code.READ_LIMIT)
        # Never so in the running bridge: there the connector has said it, one `if` above.
        doubtful = not elements_of(raw) and not case.capability.empty_trusted
        why = "an empty set here may also mean that it is withheld"
        return Unreadable(why, Code.READ_EMPTY) if doubtful else None
    value = case.field_map.read(raw)
    return value if isinstance(value, Unreadable) and not case.agrees(raw) else None


def _set_aside(case: Case, raw: object, unreadable: Unreadable) -> None:
    """Mark a field unreadable. An answer to a write that leaves a field out is no read of it."""
    entry = case.entry
    if not isinstance(raw, Marker | Unreadable):
        entry.shown = raw
        if not case.field_map.is_set:
            entry.seen_at = case.obs.read_at
            if entry.shadow is NO_BASE:
                entry.map_rev = case.field_map.revision
    if (case.obs.own and raw is ABSENT) or entry.unreadable == unreadable.why:
        return
    entry.unreadable, entry.unreadable_code = unreadable.why, unreadable.code
    emptied = case.field_map.is_set and isinstance(raw, list | tuple) and elements_of(entry.shadow)
    kind = "ambiguous empty" if emptied else "unreadable"
    case.note(kind, why=unreadable.why, code=unreadable.code)


def _take_shown_for_base(case: Case, raw: Raw) -> None:
    """Make a value without a reading the base of the one that has replaced it.

    Raw values are the vendor's own: where they differ, somebody has edited the field, whatever the
    mapping could make of the one before (rule F19). A field that was not shown has no such value.
    """
    entry, field_map = case.entry, case.field_map
    if field_map.is_set or entry.shown is None or entry.shown == raw:
        return
    if same_declaration(entry.map_rev, field_map.revision):
        case.set_shadow(entry.shown)


# --- our own writes -------------------------------------------------------------------------------


def open_attempt(side: Side, attempt: Attempt) -> None:
    """Make an attempt the side's open one, before it is sent (rule F3).

    Parts of an older attempt that never could be read stay with it, until a read can tell.
    """
    old = side.attempt
    if old is not None:
        attempt.inherited = sorted(old.sent.keys() - attempt.sent.keys())
        for name in attempt.inherited:
            attempt.sent[name], attempt.before[name] = old.sent[name], old.before.get(name)
            attempt.state_values[name] = old.state_values.get(name)
            attempt.revs[name] = old.revs.get(name, NEVER)
    side.attempt = attempt


def _close_attempt(side: Side, cases: list[CaseAndValue], obs: Observation) -> set[str]:
    """Close the parts of the open attempt that can be read, and return their fields' names."""
    attempt = side.attempt
    if attempt is None:
        return set()
    of_call, inherited = _parts(attempt, cases)
    landed = obs.own or not _did_nothing(of_call, attempt)
    if of_call:
        side.in_vain = 0 if landed else side.in_vain + 1
    for case, raw in of_call:
        _close_part(case, attempt, raw, landed=landed)
    for case, raw in inherited:
        # Each by itself, and as a plain read: this answer is no answer to those older calls.
        older = replace(case, obs=replace(obs, own=False))
        landed = obs.own or not _did_nothing([(older, raw)], attempt)
        _close_part(older, attempt, raw, landed=landed)
    closed = {case.name for case, _raw in (*of_call, *inherited)}
    attempt.sent = {name: raw for name, raw in attempt.sent.items() if name not in closed}
    attempt.inherited = [name for name in attempt.inherited if name not in closed]
    if not attempt.sent:
        side.attempt = None
    return closed


def _parts(
    attempt: Attempt, cases: list[CaseAndValue]
) -> tuple[list[CaseAndValue], list[CaseAndValue]]:
    """Return the readable fields of the attempt's own call, and those inherited from others."""
    of_call: list[CaseAndValue] = []
    inherited: list[CaseAndValue] = []
    for part in cases:
        name = part[0].name
        if name in attempt.inherited:
            inherited.append(part)
        elif name in attempt.sent:
            of_call.append(part)
    return of_call, inherited


def _did_nothing(parts: list[CaseAndValue], attempt: Attempt) -> bool:
    """Return whether a call did nothing.

    It lands as a whole, so one field that still reads as it did before proves it (rule F3).
    """
    plain = {case.name: raw for case, raw in parts if not case.field_map.is_set}
    return scalars.did_not_land(attempt, plain) or any(
        sets.untouched(case, attempt, raw) for case, raw in parts if case.field_map.is_set
    )


def _close_part(case: Case, attempt: Attempt, raw: Raw, *, landed: bool) -> None:
    """Close one field of an attempt by what was read, or answered, after it."""
    if not case.field_map.is_set:
        if case.obs.own:
            scalars.answered(case, attempt, raw)
        else:
            scalars.found_out(case, attempt, raw, landed=landed)
    elif case.obs.own or (landed and sets.landed(case, attempt, raw)):
        sets.written(case, attempt, raw)
    else:
        sets.not_written(case, attempt, raw)
