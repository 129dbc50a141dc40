"""What a read, or the answer to a write, means for the agreed state of a link.

`absorb` is the one door: every observation goes through it, also an equal one. It decides only
about the past (what did a human do, what did we do); what is to be written next is the planner's
question. The rules are told in docs/flow.md; nothing here knows a system, a clock or a database.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from bridge.core.merge import scalars, sets
from bridge.core.merge.case import Case, Observation, Rules
from bridge.core.merge.equality import decision_holds, elements_of, same_raw
from bridge.core.merge.lifecycle import record_returned
from bridge.core.model.state import NEVER, Attempt, Element, FieldState, Link, Note, Side, SideField
from bridge.core.model.values import ABSENT, NO_BASE, Marker, Raw, Unreadable

NOT_SHOWN = "the record did not show the field"


def is_believable(side: Side, obs: Observation, settle: float) -> bool:
    """Tell whether a read may be absorbed. One whose version stepped back is first seen again, after settling.

    Some vendors date a record by its newest message, so an older version is not always an older
    record.
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
    if obs.read_at - datetime.fromisoformat(suspect["at"]) < timedelta(seconds=settle):
        return False
    side.suspect = None
    return True


def _digest(obs: Observation) -> str:
    shown = json.dumps([obs.version, dict(obs.values)], default=repr, sort_keys=True)
    return hashlib.sha256(shown.encode()).hexdigest()


def absorb(link: Link, obs: Observation, rules: Rules) -> list[Note]:
    """Take one observation of a side that is on the link into the state; give the lines for the timeline."""
    side = link.sides[obs.connection]
    if side.read_at is not None and obs.read_at < side.read_at:
        return [Note("stale", obs.connection, "", {"read_at": obs.read_at.isoformat()})]
    notes = record_returned(side)
    cases = _readable(link, side, obs, rules, notes)
    ours = _close(side, cases, obs)
    for case, raw in cases:
        if case.name not in ours:
            _look(case, raw)
        _level(case, raw)
        case.entry.seen = obs.read_at
    _note_touch(side, obs, notes)
    side.version = obs.version if obs.version is not None else side.version
    side.read_at = obs.read_at
    return notes


def _note_touch(side: Side, obs: Observation, notes: list[Note]) -> None:
    """Record that somebody did something we do not mirror: an edit put back between two reads looks like this too."""
    if (
        not notes
        and not obs.own
        and None not in (side.version, obs.version)
        and obs.version != side.version
    ):
        notes.append(
            Note("touched, no mapped change", side.connection, "", {"version": obs.version})
        )


def _look(case: Case, raw: Raw) -> None:
    """Decide what a readable value is: the first ever, no news, or a change."""
    entry, merge = case.entry, sets if case.mapped.is_set else scalars
    if entry.shadow is NO_BASE or entry.map_rev != case.mapped.revision:
        merge.first_contact(case, raw)
    elif not same_raw(case.mapped, entry.shadow, raw):
        merge.change(case, raw)


def _level(case: Case, raw: Raw) -> None:
    """Move the level of a side that was seen in step. A decision to leave it alone stays on record beside it."""
    if case.behind() and (case.agrees(raw) or decision_holds(case.entry, case.link.state)):
        case.entry.level = case.state.rev


# --- what can be read
# ----------------------------------------------------------------------------------------------


def _readable(
    link: Link, side: Side, obs: Observation, rules: Rules, notes: list[Note]
) -> list[tuple[Case, Raw]]:
    """Give the fields that say something; the others keep shadow, level and their part of an attempt."""
    cases: list[tuple[Case, Raw]] = []
    for case, raw in _looked_at(link, side, obs, rules, notes):
        why = _why_not(case, raw)
        if why:
            _set_aside(case, raw, why)
            continue
        if case.entry.unreadable:
            case.entry.unreadable, case.entry.shown, case.entry.tried = "", None, NEVER
        cases.append((case, raw))
    return cases


def _looked_at(
    link: Link, side: Side, obs: Observation, rules: Rules, notes: list[Note]
) -> Iterator[tuple[Case, Raw]]:
    """Give the fields that were looked at, readable or not."""
    for name, mapped in rules.maps[obs.connection].fields.items():
        if name in obs.values:
            entry, state = (
                side.fields.setdefault(name, SideField()),
                link.state.setdefault(name, FieldState()),
            )
            yield Case(link, side, obs, rules, name, mapped, entry, state, notes), obs.values[name]


def _why_not(case: Case, raw: object) -> str:
    """Say why a value tells nothing; empty if it does."""
    if raw is ABSENT:
        return NOT_SHOWN
    if isinstance(raw, Unreadable):
        return raw.why
    if case.mapped.is_set:
        doubtful = not elements_of(raw) and not case.able.empty_trusted
        return "an empty set here may also mean that it is withheld" if doubtful else ""
    value = case.mapped.read(raw)
    if isinstance(value, Unreadable) and not case.agrees(raw):
        return value.why
    return ""


def _set_aside(case: Case, raw: object, why: str) -> None:
    """Mark a field unreadable. An answer to a write that merely leaves a field out is no read of it."""
    entry = case.entry
    if not isinstance(raw, Marker | Unreadable):
        entry.shown = raw
    if (case.obs.own and raw is ABSENT) or entry.unreadable == why:
        return
    entry.unreadable = why
    emptied = case.mapped.is_set and isinstance(raw, list | tuple) and elements_of(entry.shadow)
    case.note("ambiguous empty" if emptied else "unreadable", why=why)


# --- our own writes
# ------------------------------------------------------------------------------------------------


def open_attempt(side: Side, attempt: Attempt) -> None:
    """Open an attempt; parts of an older one that never could be read stay with it, until a read can tell."""
    old = side.attempt
    if old is not None:
        attempt.carried = sorted(old.sent.keys() - attempt.sent.keys())
        for name in attempt.carried:
            attempt.sent[name], attempt.before[name] = old.sent[name], old.before.get(name)
            attempt.values[name] = old.values.get(name)
            attempt.revs[name] = old.revs.get(name, NEVER)
    side.attempt = attempt


def _close(side: Side, cases: list[tuple[Case, Raw]], obs: Observation) -> set[str]:
    """Close the attempt's parts that can be read, and give their names: those fields are dealt with."""
    attempt = side.attempt
    if attempt is None:
        return set()
    older = replace(obs, own=False)
    parts = [
        (case, raw)
        for case, raw in cases
        if case.name in attempt.sent and case.name not in attempt.carried
    ]
    calls = [
        parts,
        *([(replace(case, obs=older), raw)] for case, raw in cases if case.name in attempt.carried),
    ]
    for call in calls:
        landed = obs.own or not _did_nothing(call, attempt)
        if call and call is parts:
            side.in_vain = 0 if landed else side.in_vain + 1
        for case, raw in call:
            _close_part(case, attempt, raw, landed=landed)
    closed = {case.name for call in calls for case, _raw in call}
    attempt.sent = {name: raw for name, raw in attempt.sent.items() if name not in closed}
    attempt.carried = [name for name in attempt.carried if name not in closed]
    if not attempt.sent:
        side.attempt = None
    return closed


def _did_nothing(parts: list[tuple[Case, Raw]], attempt: Attempt) -> bool:
    """Tell whether a call did nothing: it lands as a whole, so one field at its old value proves it."""
    plain = {case.name: raw for case, raw in parts if not case.mapped.is_set}
    return scalars.did_not_land(attempt, plain) or any(
        sets.untouched(case, attempt, raw) for case, raw in parts if case.mapped.is_set
    )


def _close_part(case: Case, attempt: Attempt, raw: Raw, *, landed: bool) -> None:
    if not case.mapped.is_set:
        if case.obs.own:
            scalars.answered(case, attempt, raw)
        else:
            scalars.found_out(case, attempt, raw, landed=landed)
    elif case.obs.own or (landed and sets.landed(case, attempt, raw)):
        sets.written(case, attempt, raw)
    else:
        sets.not_written(case, attempt, raw)


def absorb_created(
    link: Link, obs: Observation, sent: Mapping[str, Raw], rules: Rules, *, found: bool = False
) -> list[Note]:
    """Take in the record that our create has made. Fields that we did not send are the vendor's, never an edit.

    `sent` holds raw values by canonical field. `found`: the record was looked up later, so that a
    human may have edited it meanwhile; what differs from `sent`, or from what the system fills in,
    then goes through the merge.
    """
    side = link.sides[obs.connection]
    notes: list[Note] = []
    cases = _readable(link, side, obs, rules, notes)
    for case, raw in cases:
        if case.name not in sent:
            _not_sent(case, raw, found=found)
        elif found and not same_raw(case.mapped, sent[case.name], raw):
            case.base(sent[case.name])
            case.entry.level = case.state.rev if case.agrees(sent[case.name]) else NEVER
            _look(case, raw)
        else:
            _created(case, sent[case.name], raw)
        case.entry.seen = obs.read_at
    for case, raw in _looked_at(link, side, obs, rules, notes) if found else ():
        if case.entry.unreadable and case.entry.shown == raw and not case.mapped.is_set:
            _made_without(case, sent)
    side.version, side.read_at = obs.version, obs.read_at
    return notes


def _created(case: Case, sent: Raw, raw: Raw) -> None:
    """Take the answer to a create as the answer to a write: onto nothing, of the state as it stands."""
    attempt = Attempt(
        id="",
        verb="create",
        sent={case.name: sent},
        before={},
        values={case.name: case.state.value},
        revs={case.name: case.state.rev},
        send_by=case.obs.read_at,
    )
    if case.mapped.is_set:
        sets.written(case, attempt, raw)
    elif case.agrees(sent):
        scalars.answered(case, attempt, raw)
    else:
        case.base(
            raw
        )  # the state has moved on since: not level, so the planner brings the record up
    if case.state.candidates is not None:
        case.entry.level = NEVER


def _not_sent(case: Case, raw: Raw, *, found: bool) -> None:
    """Take a field of a new record that the create said nothing of."""
    if not found or case.mapped.write_key is None:
        _left_to_vendor(case, raw)
    elif case.mapped.is_set:
        case.base([])  # it was made without any: whatever is there by now, somebody has put there
        case.entry.level = NEVER
        _look(case, raw)
    else:
        _left_to_vendor(case, raw)
        _since_made(case, raw)


def _made_without(case: Case, sent: Mapping[str, Raw]) -> None:
    """Take it that a new record began with what was sent: what it shows has no reading yet, and somebody set it."""
    base = sent.get(case.name, _default(case))
    case.base(base)
    case.entry.level = case.state.rev if case.agrees(base) else NEVER


def _default(case: Case) -> Raw:
    return None if isinstance(case.able.default, Marker) else case.able.default


def _left_to_vendor(case: Case, raw: Raw) -> None:
    """Take a value that the vendor filled in by itself; level, unless the state has something to say there."""
    case.base(raw)
    if case.state.candidates is not None:
        case.entry.level = NEVER
        return
    if case.mapped.is_set:
        for name in sets.strangers(case, raw):
            case.state.elements.setdefault(name, Element(present=False, rev=case.state.rev, by=""))
            case.entry.lacks[name] = case.state.elements[name].rev
    silent = case.state.rev == 0 or case.state.value in (None, ())
    case.entry.level = case.state.rev if silent or case.agrees(raw) else NEVER


def _since_made(case: Case, raw: Raw) -> None:
    """Take what a new record does not show by itself for somebody's edit, made before we found the record."""
    default = _default(case)
    if case.mapped.read(raw) == case.mapped.read(default):
        return
    if not case.state.rev or not case.agrees(raw):
        case.base(default)
        _look(case, raw)
