"""The merge of fields that are one value: changes, first contact, and what became of our own write."""

from __future__ import annotations

from bridge.core.mapping.fieldmap import same_declaration
from bridge.core.merge.case import ADMIN, MAPPING, Case
from bridge.core.merge.policies import (
    accept,
    move_state,
    open_conflict,
    owner_of,
    refuse_edit,
    renew,
    replace_candidate,
    settle_by_latest,
)
from bridge.core.model.state import NEVER, Attempt
from bridge.core.model.values import NO_BASE, Canonical, Marker, Raw, Unreadable


def change(case: Case, raw: Raw) -> None:
    """Merge a value that differs from the side's base: somebody changed it there."""
    value = case.mapped.read(raw)
    behind = case.behind()
    case.base(raw)
    case.entry.got = None
    if case.state.candidates is not None:
        replace_candidate(case, raw)
    elif case.state.rev and case.agrees(raw):
        renew(case, raw)
    else:
        _settle(case, raw, value, behind=behind)


def _settle(case: Case, raw: Raw, value: Canonical, *, behind: bool) -> None:
    policy, owner, rev = case.policy.policy, owner_of(case), case.state.rev
    if (owner and owner != case.connection) or (policy == "first" and rev > 0):
        refuse_edit(case, raw, value, owner)
    elif not behind or rev == 0:
        accept(case, raw, value)
    elif owner:
        case.versus(raw, value, kind="conflict", winner=owner, why=f"{owner} owns the field")
        accept(case, raw, value)
    elif policy == "manual":
        open_conflict(case, raw, "changed in two places; the policy leaves it to an admin")
    else:
        settle_by_latest(case, raw, value)


# --- first contact
# -------------------------------------------------------------------------------------------------


def first_contact(case: Case, raw: Raw) -> None:
    """Take in a value that has no base. No base is not a change: nobody is known to have edited anything.

    Where only the directory of people has changed, the raw values still tell: another one is
    somebody's edit.
    """
    old, known = case.entry.shadow, case.entry.map_rev
    if same_declaration(known, case.mapped.revision) and old is not NO_BASE and old != raw:
        change(case, raw)
        return
    value = case.mapped.read(raw)
    case.base(raw)
    case.entry.got = None
    if case.state.rev == 0:
        _found_first(case, raw, value)
    elif case.agrees(raw):
        case.level()
    elif case.state.candidates is not None:
        case.entry.level = NEVER
    elif known and old is not NO_BASE and old == raw:
        _read_anew(case, raw, value)
    else:
        case.entry.level = NEVER
        if value is not None and raw != case.able.default:
            _meet(case, raw, value)


def _found_first(case: Case, raw: Raw, value: Canonical) -> None:
    """Take the state from the first side that says anything; null says nothing yet."""
    if value is not None:
        move_state(case.state, value, case.connection, (None, case.interval[1]))
        case.note("observed", raw=raw, value=value, rev=case.state.rev)
    case.level()


def _read_anew(case: Case, raw: Raw, value: Canonical) -> None:
    """The same raw value reads differently since the mapping changed: that is an edit of the table, not of the side."""
    if case.state.set_by == case.connection:
        before = case.state.value
        move_state(case.state, value, MAPPING, case.interval)
        case.level()
        case.note("remapped", raw=raw, value=value, before=before, rev=case.state.rev)
    else:
        case.entry.level = NEVER
        case.note(
            "remapped",
            raw=raw,
            value=value,
            why="reads differently; the state stands",
            rev=case.state.rev,
        )


def _meet(case: Case, raw: Raw, value: Canonical) -> None:
    """Settle two values that both have a history, by declaration only: timestamps mean nothing here."""
    policy, ours, theirs = case.policy, case.connection, case.state.set_by
    if policy.on_link == "manual" or (policy.policy == "manual" and not policy.on_link):
        open_conflict(case, raw, "the sides differed when they were linked")
        return
    wins, why = _declared(case)
    case.versus(raw, value, kind="first contact", winner=ours if wins else theirs, why=why)
    if wins:
        move_state(case.state, value, ours, (None, case.interval[1]))
        case.level()


def _declared(case: Case) -> tuple[bool, str]:
    """Tell whether this side's value wins at first contact, and by which declaration."""
    policy, ours, theirs = case.policy, case.connection, case.state.set_by
    if theirs in {ADMIN, MAPPING}:
        return False, f"set by {theirs}"
    if policy.on_link in {ours, theirs}:
        return policy.on_link == ours, f"on_link is {policy.on_link}"
    owner = owner_of(case)
    if owner:
        return owner == ours, f"{owner} owns the field"
    if policy.policy == "first":
        return False, "set once"
    return case.rules.sync.rank(ours) < case.rules.sync.rank(theirs), "precedence"


# --- our own writes
# ------------------------------------------------------------------------------------------------


def answered(case: Case, attempt: Attempt, raw: Raw) -> None:
    """Take the answer to our own write: what the call sent is the shadow as it was read back."""
    sent = attempt.sent[case.name]
    case.base(raw)
    case.entry.got = None
    case.entry.level = attempt.revs.get(case.name, case.entry.level)
    if raw != sent:
        # The vendor trims, folds or rounds: remember the pair, or it would be rewritten for ever.
        if case.name in attempt.values:
            case.entry.got = (attempt.values[case.name], raw)
        ignored = raw == attempt.before.get(case.name, NO_BASE)
        case.note(
            "not taken" if ignored else "normalised",
            sent=sent,
            raw=raw,
            before=attempt.before.get(case.name),
        )
    else:
        case.note("written", sent=sent, before=attempt.before.get(case.name), rev=case.entry.level)


def found_out(case: Case, attempt: Attempt, raw: Raw, *, landed: bool) -> None:
    """Find out by a later read what became of a write of unknown outcome."""
    sent, before = attempt.sent[case.name], attempt.before.get(case.name, NO_BASE)
    if raw == sent and (landed or raw == before or not case.agrees(raw)):
        case.base(raw)
        case.entry.got = None
        case.entry.level = attempt.revs.get(case.name, case.entry.level)
        case.note("landed", sent=sent, before=_shown(before), rev=case.entry.level)
        return
    case.entry.level = NEVER
    if raw == before:
        case.base(raw)
        moved = case.obs.version is None or case.obs.version != attempt.version
        # With a moved version, or none to look at, a human may have put the old value back: the
        # repeat is on record.
        case.note(
            "re-sent" if moved else "did not land",
            sent=sent,
            before=before,
            value=case.mapped.read(raw),
        )
    elif case.entry.shadow is NO_BASE:
        first_contact(case, raw)
    else:
        change(case, raw)


def did_not_land(attempt: Attempt, raws: dict[str, Raw]) -> bool:
    """Tell whether a call certainly did nothing: it lands as a whole, so one field at its old value proves it."""
    return any(
        raw == attempt.before.get(name, NO_BASE) != attempt.sent[name] for name, raw in raws.items()
    )


def _shown(raw: Raw | Marker) -> Raw:
    return None if isinstance(raw, Marker | Unreadable) else raw
