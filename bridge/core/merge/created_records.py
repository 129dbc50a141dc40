"""The merge of a record that our own create has made (rule F12).

The vendor fills in what the create did not send: that is nobody's edit. A record that is found
later, because the create's answer was lost, may have been edited meanwhile: what differs from what
was sent, or from what the vendor fills in, then goes through the merge.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.core.merge import scalars, sets
from bridge.core.merge.case import Case, Observation, Rules
from bridge.core.merge.equality import same_raw
from bridge.core.merge.making import translate_made
from bridge.core.merge.observations import merge_value, observed_cases, readable_cases
from bridge.core.model.state import NEVER, Attempt, Element, Link, Note
from bridge.core.model.values import Marker, Raw


def absorb_created(
    link: Link, obs: Observation, sent: Mapping[str, Raw], rules: Rules, *, found: bool = False
) -> list[Note]:
    """Take in the record that our create has made, and return the lines for the timeline.

    `sent` holds raw values by canonical field. `found`: the record was looked up later, so that a
    human may have edited it meanwhile.
    """
    side = link.sides[obs.connection]
    notes: list[Note] = []
    for case, raw in readable_cases(link, side, obs, rules, notes):
        translate_made(case, raw)
        if case.name not in sent:
            _absorb_not_sent(case, raw, found=found)
        elif found and not same_raw(case.field_map, sent[case.name], raw):
            _begin_with(case, sent[case.name])
            merge_value(case, raw)
        else:
            _absorb_sent(case, sent[case.name], raw)
        case.entry.seen_at = obs.read_at
    if found:
        for case, raw in observed_cases(link, side, obs, rules, notes):
            if case.entry.unreadable and case.entry.shown == raw and not case.field_map.is_set:
                # It has no reading yet, and somebody set it after the record was made.
                _begin_with(case, sent.get(case.name, _vendor_default(case)))
    side.version, side.read_at = obs.version, obs.read_at
    return notes


def _begin_with(case: Case, base: Raw) -> None:
    """Take it that the new record showed this value at first; level, if that agrees."""
    case.set_shadow(base)
    case.entry.level = case.state.rev if case.agrees(base) else NEVER


def _absorb_sent(case: Case, sent: Raw, raw: Raw) -> None:
    """Take a field that the create sent as the answer to a write onto nothing."""
    attempt = Attempt(
        id="",
        verb="create",
        sent={case.name: sent},
        before={},
        state_values={case.name: case.state.value},
        revs={case.name: case.state.rev},
        send_by=case.obs.read_at,
    )
    if case.field_map.is_set:
        sets.written(case, attempt, raw)
    elif case.agrees(sent):
        scalars.answered(case, attempt, raw)
    else:
        # The state has moved on since: not level, so that the planner brings the record up.
        case.set_shadow(raw)
    if case.state.candidates is not None:
        case.entry.level = NEVER


def _absorb_not_sent(case: Case, raw: Raw, *, found: bool) -> None:
    """Take a field that the create did not send: the vendor's own, or an edit made meanwhile."""
    if not found or case.field_map.write_key is None:
        _leave_to_vendor(case, raw)
    elif case.field_map.is_set:
        # It was made without any elements: whatever is there by now, somebody has put there.
        case.set_shadow([])
        case.entry.level = NEVER
        merge_value(case, raw)
    else:
        _leave_to_vendor(case, raw)
        _judge_against_default(case, raw)


def _vendor_default(case: Case) -> Raw:
    """Return what the vendor fills in by itself; null if nothing is declared."""
    return None if isinstance(case.capability.default, Marker) else case.capability.default


def _leave_to_vendor(case: Case, raw: Raw) -> None:
    """Take a value that the vendor filled in; level, unless the state says something else."""
    case.set_shadow(raw)
    if case.state.candidates is not None:
        case.entry.level = NEVER
        return
    if case.field_map.is_set:
        # Elements that the vendor made up stay its own: neither merged nor removed.
        for name in sets.strangers(case, raw):
            case.state.elements.setdefault(name, Element(present=False, rev=case.state.rev, by=""))
            case.entry.lacks[name] = case.state.elements[name].rev
    silent = case.state.rev == 0 or case.state.value in (None, ())
    if case.state.rev == 0 and not case.field_map.is_set and not case.agrees(raw):
        # That is what the system shows for nothing, by whatever table it is read.
        case.entry.remembered_answer = (case.state.value, raw)
    case.entry.level = case.state.rev if silent or case.agrees(raw) else NEVER


def _judge_against_default(case: Case, raw: Raw) -> None:
    """Take a value that is not the vendor's default as an edit, made before we found the record."""
    default = _vendor_default(case)
    if case.field_map.read(raw) == case.field_map.read(default):
        return
    if not case.state.rev or not case.agrees(raw):
        case.set_shadow(default)
        merge_value(case, raw)
