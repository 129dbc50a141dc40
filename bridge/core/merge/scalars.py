"""The merge of fields that are one value. The rules are told in docs/merge-rules.md.

The rows below are held by tests/core/test_decision_tables.py, the stories behind them by the tests
of each rule (`test_f17_…`).

A value that differs from the side's shadow (`change`): somebody changed it there. It becomes the
shadow, and the remembered answer is dropped (F13). Then the first row that fits:

    situation                           what is done                  why
    ----------------------------------  ----------------------------  ------------------------------
    a conflict is open on the field     replaces the side's           F18: a human chooses among
                                        candidate; closed when all    each side's newest edit
                                        agree
    a state is set, and the value       next revision, same value     F6, F16: confirmed anew, so
    agrees with it                                                    older edits elsewhere lose
    another connection owns the field   put back, or left; recorded   F17: whether in conflict or
                                                                      not
    policy `first`, and a state is set  left; recorded                F17: set once
    no state yet, or the side was       becomes the state             F5: nobody else has changed it
    level
    behind, and this side is the owner  becomes the state; loser      F17: the owner wins
                                        recorded
    behind, policy `manual`             a conflict opens              F18: frozen on the whole link
    behind, and certainly later         becomes the state; loser      F7: the intervals do not touch
                                        recorded
    behind, and certainly earlier       stays behind; recorded        F7: the plan brings it up
    behind, and the intervals overlap   later upper end, then         F7: `latest` is not exact and
                                        precedence; recorded as       says so
                                        uncertain

An owner that is not alive on the link, or cannot hold the field, is no owner (F17). A field that
changes hands too often within the guard's window opens a conflict instead of becoming the state.

A value that has no base (`first_contact`): never read, or read by another mapping revision. That is
no change: nobody is known to have edited anything. It becomes the shadow; the first row that fits:

    situation                           what is done                  why
    ----------------------------------  ----------------------------  ------------------------------
    only the directory of people has    `change`                      F19: raw values still tell
    changed, and the raw value is
    another
    no state yet, and it is a value     becomes the state             F10: somebody has to begin
    no state yet, and it is null        level                         F10: null says nothing yet
    it waited in a conflict when its    joins the one that is open;   F18: nobody has decided
    record left the link                else opens one, unless it
                                        agrees
    another mapping had read the state  the state takes the new       F19: no human has said it
    from this side                      reading, set by `mapping`
    it agrees with the state            level                         F10: nothing to settle
    a conflict is open on the field     not level                     F18: frozen
    same raw value, other mapping;      the state takes the new       F19: the edit is the table's
    the state comes from this side      reading, set by `mapping`
    same raw value, other mapping       not level                     F19: the state stands
    null, or the vendor's default       not level                     F10: takes the state's value
    the winner would end, or empty,     a conflict opens              F10: nobody has seen it yet
    a record that was just opened
    `on_link`, else the policy, is      a conflict opens              F10: both have a history
    `manual`
    anything else                       the declared winner;          F10: never by timestamps
                                        recorded

The declared winner is the first of these: the state, if an admin or a mapping has set it; the
connection named by `on_link`; the owner; under `first` the state; the higher in the precedence.

The answer to our own write (`answered`). It is the shadow, and the side is level (F1):

    situation                           what is done                  why
    ----------------------------------  ----------------------------  ------------------------------
    as it was sent                      "written"                     F1: read back, so known
    as it was before                    "not taken"; the pair is      F13: else written for ever
                                        kept
    anything else                       "normalised"; the pair is     F13: else written for ever
                                        kept

A later read, after a write of unknown outcome (`found_out`):

    situation                           what is done                  why
    ----------------------------------  ----------------------------  ------------------------------
    as sent, and all of the call        ours: level, "landed"         F3: else our own write would
    landed, or it was so before, or                                   look like a newer human edit
    the state has moved on
    as it was before                    not level: "did not land",    F3: it is sent again
                                        or "re-sent" if a human may
                                        have put it back
    anything else                       `change`, without a base      F3: a human's; so is "as sent"
                                        `first_contact`               when the call did nothing
"""

from __future__ import annotations

from bridge.core.mapping.fieldmap import same_declaration
from bridge.core.merge.case import ADMIN, MAPPING, Case
from bridge.core.merge.identity import is_just_opened
from bridge.core.merge.policies import (
    accept,
    move_state,
    open_conflict,
    owner_of,
    refuse_edit,
    renew,
    replace_candidate,
    review_conflict,
    settle_by_latest,
)
from bridge.core.model.entities import ENDED, STATUS
from bridge.core.model.state import NEVER, Attempt
from bridge.core.model.values import NO_BASE, Canonical, Marker, Raw, Unreadable

EMPTY: tuple[Canonical, ...] = (None, "")


def change(case: Case, raw: Raw) -> None:
    """Merge a value that differs from the side's shadow: somebody changed it there."""
    value = case.field_map.read(raw)
    behind = case.is_behind()
    case.set_shadow(raw)
    case.entry.remembered_answer = None
    if case.state.candidates is not None:
        replace_candidate(case, raw)
    elif case.state.rev and case.agrees(raw):
        renew(case, raw)
    else:
        _settle(case, raw, value, behind=behind)


def _settle(case: Case, raw: Raw, value: Canonical, *, behind: bool) -> None:
    """Apply the policy to an edit that does not agree with the state."""
    policy, owner, rev = case.policy.policy, owner_of(case), case.state.rev
    if (owner and owner != case.connection) or (policy == "first" and rev > 0):
        refuse_edit(case, raw, value, owner)
    elif not behind or rev == 0:
        accept(case, raw, value)
    elif owner:
        case.note_both(raw, value, kind="conflict", winner=owner, why=f"{owner} owns the field")
        accept(case, raw, value)
    elif policy == "manual":
        open_conflict(case, raw, "changed in two places; the policy leaves it to an admin")
    else:
        settle_by_latest(case, raw, value)


# --- first contact --------------------------------------------------------------------------------


def first_contact(case: Case, raw: Raw) -> None:
    """Take in a value that has no base: nobody is known to have edited anything (rule F10)."""
    old, known = case.entry.shadow, case.entry.map_rev
    if same_declaration(known, case.field_map.revision) and old is not NO_BASE and old != raw:
        # Only the directory of people has changed: another raw value is somebody's edit (F19).
        change(case, raw)
        return
    value = case.field_map.read(raw)
    case.set_shadow(raw)
    if case.state.rev == 0:
        _begin_state(case, raw, value, is_as_it_was=bool(known) and old == raw)
        return
    case.entry.remembered_answer = None
    if not known and old is not NO_BASE:
        _ask_again(case, raw)
    elif _was_set_by_another_table(case, value):
        _reread(case, raw, value)
    elif case.agrees(raw):
        case.mark_level()
    elif case.state.candidates is not None:
        case.entry.level = NEVER
        review_conflict(case)
    elif known and old is not NO_BASE and old == raw:
        # The record is as it was; only the table that reads it is another.
        _reread(case, raw, value)
    else:
        moved = bool(known) and old is not NO_BASE
        _settle_two_histories(case, raw, value, moved=moved)


def _was_set_by_another_table(case: Case, value: Canonical | Unreadable) -> bool:
    """Return whether the state is what another table made of this very side, and of no human.

    What is written as the side would agree, also where it reads otherwise by now.
    """
    state = case.state
    mine = state.read_from == case.connection and state.candidates is None
    return mine and not isinstance(value, Unreadable) and value != state.value


def _ask_again(case: Case, raw: Raw) -> None:
    """Take in a value that waited in a conflict when its record left the link (rule F18)."""
    case.entry.level = NEVER
    if case.state.candidates is not None:
        replace_candidate(case, raw)
    elif case.agrees(raw):
        case.mark_level()
    else:
        open_conflict(case, raw, "it was in conflict when its record left, and nobody decided")


def _begin_state(case: Case, raw: Raw, value: Canonical, *, is_as_it_was: bool) -> None:
    """Take the state from the first side that says anything; null says nothing yet.

    Nor does what our create left to the vendor, whatever table reads it by now (rule F12).
    """
    is_left_to_vendor = is_as_it_was and case.agrees(raw)
    if not is_left_to_vendor:
        case.entry.remembered_answer = None
    if value is not None and not is_left_to_vendor:
        move_state(case.state, value, case.connection, (None, case.interval[1]))
        case.note("observed", raw=raw, value=value, rev=case.state.rev)
        case.note_losses(raw)
    case.mark_level()


def _reread(case: Case, raw: Raw, value: Canonical) -> None:
    """Take a raw value that reads differently by the changed mapping: the table's edit (F19)."""
    if case.state.comes_from(case.connection):
        before = case.state.value
        move_state(case.state, value, MAPPING, case.interval)
        case.state.read_from = case.connection
        case.mark_level()
        case.note("remapped", raw=raw, value=value, before=before, rev=case.state.rev)
    else:
        case.entry.level = NEVER
        why = "by the changed mapping it reads otherwise; what was agreed stays"
        case.note("remapped", raw=raw, value=value, why=why, rev=case.state.rev)


def _settle_two_histories(case: Case, raw: Raw, value: Canonical, *, moved: bool) -> None:
    """Settle a value with no known edit that the state does not agree with (rule F10).

    `moved`: another mapping had read another raw value here. That may be the other path, or an edit
    made as the mapping was changed, so what is put back is on record.
    """
    case.entry.level = NEVER
    if value is not None and raw != case.capability.default:
        _settle_by_declaration(case, raw, value)
    elif unseen := _end_of_the_unseen(case, None, wins=False):
        open_conflict(case, raw, unseen)
    elif moved:
        why = "nothing, or the default, is shown since the mapping was changed"
        case.note_both(raw, value, kind="first contact", winner=case.state.set_by, why=why)


def _settle_by_declaration(case: Case, raw: Raw, value: Canonical) -> None:
    """Settle two values that both have a history: timestamps mean nothing here (rule F10)."""
    policy, ours, theirs = case.policy, case.connection, case.state.set_by
    if policy.on_link == "manual" or (policy.policy == "manual" and not policy.on_link):
        open_conflict(case, raw, "the sides differed when they were linked")
        return
    wins, why = _declared_winner(case)
    if unseen := _end_of_the_unseen(case, value, wins=wins):
        open_conflict(case, raw, unseen)
        return
    case.note_both(raw, value, kind="first contact", winner=ours if wins else theirs, why=why)
    if wins:
        move_state(case.state, value, ours, (None, case.interval[1]))
        case.mark_level()


def _end_of_the_unseen(case: Case, value: Canonical, *, wins: bool) -> str:
    """Return why the declared winner must not end or empty a record that was just opened.

    Empty when it would do neither. Whoever has opened it would be closed, or lose what they said,
    before any human has seen it.
    """
    loser = case.state.set_by if wins else case.connection
    kept, lost = (value, case.state.value) if wins else (case.state.value, value)
    ends = case.name == STATUS and kept in ENDED and lost not in ENDED
    if not ends and (kept not in EMPTY or lost in EMPTY):
        return ""
    when = case.interval if wins else case.state.over() or (case.state.lo, case.state.hi)
    ended_before = when[1]
    if not is_just_opened(case, loser, ended_before):
        return ""
    return f"{loser} has just opened it: it is not {'ended' if ends else 'emptied'} unasked"


def _declared_winner(case: Case) -> tuple[bool, str]:
    """Return whether this side's value wins at first contact, and by which declaration."""
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


# --- our own writes -------------------------------------------------------------------------------


def answered(case: Case, attempt: Attempt, raw: Raw) -> None:
    """Take the answer to our own write: the shadow is what was read back, not what was sent."""
    sent = attempt.sent[case.name]
    before = attempt.before.get(case.name, NO_BASE)
    case.set_shadow(raw)
    case.entry.remembered_answer = None
    case.entry.level = attempt.revs.get(case.name, case.entry.level)
    if raw == sent:
        case.note("written", sent=sent, before=_plain(before), rev=case.entry.level)
        return
    # The vendor trims, folds or rounds: without the pair it would be rewritten for ever (F13).
    if case.name in attempt.state_values:
        case.entry.remembered_answer = (attempt.state_values[case.name], raw)
    kind = "not taken" if raw == before else "normalised"
    case.note(kind, sent=sent, raw=raw, before=_plain(before))


def found_out(case: Case, attempt: Attempt, raw: Raw, *, landed: bool) -> None:
    """Find out by a later read what became of a write of unknown outcome (rule F3).

    `landed`: no field that the same call was to set still reads as it did before.
    """
    sent, before = attempt.sent[case.name], attempt.before.get(case.name, NO_BASE)
    # "As sent" is a human's only if the call did nothing and the state still says the same: then it
    # confirms the state (F6). In all other cases it is taken for ours.
    if raw == sent and (landed or raw == before or not case.agrees(raw)):
        case.set_shadow(raw)
        case.entry.remembered_answer = None
        case.entry.level = attempt.revs.get(case.name, case.entry.level)
        case.note("landed", sent=sent, before=_plain(before), rev=case.entry.level)
        return
    case.entry.level = NEVER
    if raw == before:
        case.set_shadow(raw)
        # With a moved version, or none to look at, a human may have put the old value back: then
        # the timeline says that it was sent again.
        moved = case.obs.version is None or case.obs.version != attempt.version
        kind = "re-sent" if moved else "did not land"
        case.note(kind, sent=sent, before=before, value=case.field_map.read(raw))
    elif case.entry.shadow is NO_BASE:
        first_contact(case, raw)
    else:
        change(case, raw)


def did_not_land(attempt: Attempt, raws: dict[str, Raw]) -> bool:
    """Return whether a call certainly did nothing.

    It lands as a whole, so one field that still reads as it did before proves it.
    """
    return any(
        raw == attempt.before.get(name, NO_BASE) != attempt.sent[name] for name, raw in raws.items()
    )


def _plain(raw: Raw | Marker) -> Raw:
    """Return a raw value for the timeline, which holds JSON: null for "never read"."""
    return None if isinstance(raw, Marker | Unreadable) else raw
