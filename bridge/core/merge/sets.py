"""The merge of sets, element by element: a set is a field of elements, whatever policy is declared.

The rules are told in docs/merge-rules.md. The rows below are held by
tests/core/test_decision_tables.py, the stories behind them by the tests of each rule
(`test_f14_…`). Everything is compared as canonical elements; spelling (`VIP`) stays the side's own
business (F14). "Unseen": another side decided about the element after this side was last level.

A set that differs from the side's shadow (`change`) becomes the shadow. While a conflict is open it
replaces the side's candidate (F18); otherwise each element that differs is judged by itself:

    situation                           what is done                  why
    ----------------------------------  ----------------------------  ------------------------------
    added                               in, at a new revision, also   F14, F6: older removals that
                                        if it was in already          had not seen it will lose
    added; removed elsewhere, unseen    in; the pair is recorded      F14: the addition survives
    removed; not in the state           nothing                       it is gone already
    removed; removals read here are     stays, recorded; due again    F15: it may only be withheld
    not to be believed
    removed; added elsewhere, unseen    stays, the pair is recorded;  F14: the addition survives
                                        due again
    removed                             out, at a new revision        F14: somebody took it out

The side is level afterwards if nothing is left to add or remove (F14). It may have been level
before by a decision to leave it alone: that falls with the edit, and the next plan makes it anew
(F5). To undo what another side did is a change of hands: one too many within the guard's window
opens a conflict instead.

A set that has no base (`first_contact`): never read, or read by another mapping revision.

    situation                           what is done                  why
    ----------------------------------  ----------------------------  ------------------------------
    a conflict is open on the field     level only if it agrees       F18: frozen
    no state yet, and no elements       level                         F10: it says nothing yet
    elements that the state lacks       the state gets them           F10: union
    elements that the side lacks        not level: the plan adds      F10: nobody removed them
                                        them

Our own write, if it was answered or anything of it landed (`written`):

    situation                           what is done                  why
    ----------------------------------  ----------------------------  ------------------------------
    sent, and there                     ours                          F1: never a human's addition
    sent, and there as trimming,        ours; remembered as an alias  F14: never guessed by count
    folding or cutting would make it
    sent, and not there                 "not carried"                 F14: else it is sent for ever
    to be removed, and still there      "not given up"                F14: else it is sent for ever
    not sent, and not there before      merged as added               F1: a human's
    there before, to stay, not there    merged as removed; "not       F1: that answer speaks of the
    now                                 carried" if the answer of a   vendor, a later read of humans
                                        replacing call lacks it

Our own write, if it did nothing (`not_written`):

    situation                           what is done                  why
    ----------------------------------  ----------------------------  ------------------------------
    as the call would have added it     merged as added; ours if the  F3: a human's, or our late
                                        state has dropped it since    write
    anything else that differs from     merged as added or removed    F3: a human's
    what was there before
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.core.merge.case import MAPPING, Case
from bridge.core.merge.equality import (
    distinct,
    elements_of,
    fold,
    identities,
    identity,
    lack_holds,
    present_elements,
    read_set,
    unreadable_elements,
)
from bridge.core.merge.policies import (
    FUSE,
    count_change_of_hands,
    move_state,
    open_conflict,
    replace_candidate,
)
from bridge.core.model.limits import MAX_KNOWN_ELEMENTS
from bridge.core.model.state import NEVER, Attempt, Element, FieldState
from bridge.core.model.values import Marker, Raw


def change(case: Case, raw: Raw, base: Raw | Marker | None = None) -> None:
    """Merge what was added and removed since the base.

    That is the shadow, unless our own write explains more (`written`, `not_written`).
    """
    # Both are read before the shadow moves: moving it forgets aliases.
    known = present_elements(case.state)
    before = read_set(
        case.field_map, case.entry, case.entry.shadow if base is None else base, known
    )
    now = read_set(case.field_map, case.entry, raw, known)
    added, removed = sorted(now.keys() - before.keys()), sorted(before.keys() - now.keys())
    _set_shadow(case, raw)
    if case.state.candidates is None:
        _merge_elements(case, raw, added, removed)
    elif added or removed:
        replace_candidate(case, raw)
    if len(case.state.elements) > MAX_KNOWN_ELEMENTS // 2:
        _forget_old_removals(case)


def _merge_elements(case: Case, raw: Raw, added: list[str], removed: list[str]) -> None:
    """Bring the added elements into the state and take the removed ones out, where that counts."""
    state = case.state
    gone = [name for name in removed if _may_remove(case, name)]
    if any(_is_in(case, name) for name in set(removed).difference(gone)):
        # Something stays against this side: due again, also if that was the only news.
        case.entry.level = min(case.entry.level, state.rev - 1)
    if added or gone:
        if _undoes_others(case, added, gone) and count_change_of_hands(case):
            open_conflict(case, raw, FUSE)
            return
        _move_elements(case, raw, added, gone)
    _mark_level_if_done(case)


def _move_elements(case: Case, raw: Raw, added: list[str], gone: list[str]) -> None:
    """Give the state its next revision: these elements in, those out."""
    state, rev = case.state, case.state.rev + 1
    for name in added:
        _note_resurrection(case, name)
    for name in added:
        state.elements[name] = Element(present=True, rev=rev, by=case.connection)
    for name in gone:
        state.elements[name] = Element(present=False, rev=rev, by=case.connection)
    move_state(state, tuple(sorted(present_elements(state))), case.connection, case.interval)
    case.note("changed", raw=raw, value=state.value, added=added, removed=gone, rev=rev)


def _forget_old_removals(case: Case) -> None:
    """Forget elements that are gone and that no side could bring back unseen.

    Else a set whose elements change all the time would be remembered without end.
    """
    elements, seen_by_all = case.state.elements, case.state.rev
    kept = present_elements(case.state)
    for side in case.link.sides.values():
        entry, entity_map = side.fields.get(case.name), case.rules.maps.get(side.connection)
        if entry is None or entity_map is None or case.name not in entity_map.fields:
            continue
        if not side.tombstone:
            seen_by_all = min(seen_by_all, entry.level)
        kept |= entry.lacks.keys()
        kept |= read_set(entity_map.fields[case.name], entry, entry.shadow, elements).keys()
    case.state.elements = {
        name: known for name, known in elements.items() if name in kept or known.rev > seen_by_all
    }


def _is_in(case: Case, name: str) -> bool:
    """Return whether the element is in the state."""
    element = case.state.elements.get(name)
    return element is not None and element.present


def _unseen(case: Case, name: str) -> bool:
    """Return whether another side decided about the element after this side was last level."""
    element = case.state.elements.get(name)
    return element is not None and element.rev > case.entry.level and element.by != case.connection


def _may_remove(case: Case, name: str) -> bool:
    """Return whether a removal counts; one of an element in the state that does not is noted."""
    if not _is_in(case, name):
        return False
    if not case.capability.removes:
        why = "a removal read here is not to be believed: kept"
        case.note("ambiguous removal", element=name, why=why)
        return False
    if _unseen(case, name):
        winner = case.state.elements[name].by
        why = "added elsewhere, unseen by the removal: kept"
        _note_pair(case, name, winner=winner, why=why)
        return False
    return True


def _note_resurrection(case: Case, name: str) -> None:
    """Record an element that comes back against a removal which it had not seen."""
    element = case.state.elements.get(name)
    if element is not None and not element.present and _unseen(case, name):
        why = "removed elsewhere, unseen by the addition: the addition wins"
        _note_pair(case, name, winner=case.connection, why=why)


def _note_pair(case: Case, name: str, *, winner: str, why: str) -> None:
    """Record an addition and a removal of one element that met."""
    element = case.state.elements[name]
    case.note(
        "conflict",
        element=name,
        mine={"value": not element.present, "by": case.connection},
        theirs={"value": element.present, "by": element.by},
        winner=winner,
        why=why,
        sides=[element.by, case.connection],
    )


def _undoes_others(case: Case, added: list[str], gone: list[str]) -> bool:
    """Return whether the change undoes what another side did: only that is a change of hands."""
    # An element that is new to the state undoes nothing.
    elements = case.state.elements
    undone = [name for name in added if name in elements and not elements[name].present] + gone
    return any(elements[name].by != case.connection for name in undone)


def _set_shadow(case: Case, raw: Raw) -> None:
    """Make the raw set the shadow; aliases and lacks that it disproves are forgotten."""
    entry, unreadable = case.entry, unreadable_elements(case.field_map, raw)
    if unreadable:
        known = unreadable_elements(case.field_map, entry.shadow)
        for name, why in unreadable.items():
            if name not in known:
                case.note("unreadable", element=name, why=why)
    case.set_shadow(raw)
    shown = identities(raw)
    entry.alias = {spelled: name for spelled, name in entry.alias.items() if spelled in shown}
    here = read_set(case.field_map, entry, raw, present_elements(case.state))
    entry.lacks = {
        name: rev
        for name, rev in entry.lacks.items()
        if lack_holds(entry, case.state, name) and (name in here) != _is_in(case, name)
    }


def _mark_level_if_done(case: Case) -> None:
    """Note the side as level if nothing is left to add or remove.

    An edit, or a call that adds one element of several, may leave other differences as they were.
    """
    if case.agrees(case.entry.shadow):
        case.mark_level()


# --- first contact --------------------------------------------------------------------------------


def first_contact(case: Case, raw: Raw) -> None:
    """Unite a set that has no base with the state: nobody removed what one of the two lacks."""
    known, state = present_elements(case.state), case.state
    here = read_set(case.field_map, case.entry, raw, known)
    _set_shadow(case, raw)
    if state.candidates is None:
        extra, absent = sorted(here.keys() - known), sorted(known - here.keys())
        if state.rev and (extra or absent):
            _note_union(case, raw, sorted(here), extra, absent)
        if extra:
            _add_found(case, raw, extra)
    case.entry.level = NEVER
    _mark_level_if_done(case)


def move_elements(case: Case) -> None:
    """Move the elements that this side brought to their new reading; others' are theirs to move."""
    state, entry, connection = case.state, case.entry, case.connection
    here = read_set(case.field_map, entry, entry.shadow, present_elements(state))
    brought = _brought_by(state, connection)
    old, new = brought - here.keys(), here.keys() - present_elements(state)
    if not brought or not old | new:
        return
    before, rev = state.value, state.rev + 1
    for element in old | new:
        by = connection if element in new else MAPPING
        state.elements[element] = Element(element in new, rev, by)
    move_state(state, tuple(sorted(present_elements(state))), MAPPING, (state.lo, state.hi))
    state.read_from = connection
    case.note("remapped", value=state.value, before=before, rev=rev)


def _brought_by(state: FieldState, connection: str) -> set[str]:
    return {
        element
        for element, known in state.elements.items()
        if known.present and known.by == connection
    }


def _note_union(case: Case, raw: Raw, here: list[str], extra: list[str], absent: list[str]) -> None:
    """Record both sets, and the elements by which they differ."""
    state = case.state
    case.note(
        "first contact",
        mine={"value": here, "raw": raw, "by": case.connection},
        theirs={"value": state.value, "by": state.set_by},
        winner="union",
        why="both sets had a history",
        sides=[state.set_by, case.connection],
        added=extra,
        missing=absent,
    )


def _add_found(case: Case, raw: Raw, extra: list[str]) -> None:
    """Bring elements into the state that were found at first contact, set at an unknown time."""
    state, since = case.state, (None, case.interval[1])
    for name in extra:
        state.elements[name] = Element(present=True, rev=state.rev + 1, by=case.connection)
    move_state(state, tuple(sorted(present_elements(state))), case.connection, since)
    case.note("observed", raw=raw, value=state.value, added=extra, rev=state.rev)


# --- our own writes -------------------------------------------------------------------------------


def untouched(case: Case, attempt: Attempt, raw: Raw) -> bool:
    """Return whether the set reads as it did before a call that was to change it."""
    before, sent, now = _read_attempt(case, attempt, raw)
    return before == now.keys() != sent


def landed(case: Case, attempt: Attempt, raw: Raw) -> bool:
    """Return whether anything that the call was to add or remove shows in the set."""
    before, sent, now = _read_attempt(case, attempt, raw)
    if before == sent:
        return True
    if not now.keys().isdisjoint(sent - before) or not (before - sent) <= now.keys():
        return True
    new = _NewSpellings.of(case, attempt, raw)
    return any(new.made_of(case.field_map.write(name)) is not None for name in sent - before)


def written(case: Case, attempt: Attempt, raw: Raw) -> None:
    """Take in a set after our own write has landed: what our call explains is no human's doing."""
    before, sent, now = _read_attempt(case, attempt, raw)
    promised = sent if _replaced_whole(case, attempt) and case.obs.own else sent - before
    _note_what_was_not_taken(case, attempt, raw, sorted(promised - now.keys()))
    for name in sorted((before - sent) & now.keys()):
        _note_lack(case, name, "not given up")
    here = _read_attempt(case, attempt, raw)[2]  # again: aliases were learned above
    explained = sent | before
    human = {identity(element) for name, element in here.items() if name not in explained}
    base = [element for element in elements_of(raw) if identity(element) not in human]
    # What stood there, was to stay and is gone without the call explaining it: a human removed it.
    old = attempt.before.get(case.name)
    stood = read_set(case.field_map, case.entry, old, present_elements(case.state))
    removed = sorted((before & sent) - here.keys() - promised)
    base += [stood[name] for name in removed if name in stood]
    case.note("written", sent=attempt.sent[case.name], raw=raw, before=old)
    change(case, raw, base)


def not_written(case: Case, attempt: Attempt, raw: Raw) -> None:
    """Take in a set after our write did not land.

    What is there as we would have sent it is a human's, unless the state has moved on since: then
    it is taken for ours, or it would be added again everywhere.
    """
    before, sent, now = _read_attempt(case, attempt, raw)
    stale = {name for name in (sent - before) & now.keys() if not _is_in(case, name)}
    base = [*elements_of(attempt.before.get(case.name)), *(now[name] for name in sorted(stale))]
    moved = case.obs.version is None or case.obs.version != attempt.version
    case.note("re-sent" if moved else "did not land", sent=attempt.sent[case.name], raw=raw)
    change(case, raw, base)


def _read_attempt(
    case: Case, attempt: Attempt, raw: Raw
) -> tuple[set[str], set[str], dict[str, Raw]]:
    """Return what stood there, what was sent, and what is there now, as canonical elements."""
    known = set(attempt.state_values.get(case.name) or ()) | present_elements(case.state)
    before = read_set(case.field_map, case.entry, attempt.before.get(case.name), known)
    sent = read_set(case.field_map, case.entry, attempt.sent[case.name], known)
    return set(before), set(sent), read_set(case.field_map, case.entry, raw, known)


def _replaced_whole(case: Case, attempt: Attempt) -> bool:
    """Return whether the call carried the whole set, and not one element of it."""
    return isinstance(attempt.body.get(case.field_map.write_key or "", []), list | tuple)


@dataclass(slots=True)
class _NewSpellings:
    """The raw elements that were neither there before a call nor sent by it, by what they fold to.

    Looked up by the lengths that occur among them, so that many elements cost no more than their
    letters.
    """

    by_folded: dict[str, list[str]]
    lengths: list[int]
    """The longest first."""

    @classmethod
    def of(cls, case: Case, attempt: Attempt, raw: Raw) -> _NewSpellings:
        """Return what a set shows that is new since the attempt."""
        old = identities(attempt.before.get(case.name)) | identities(attempt.sent[case.name])
        by_folded: dict[str, list[str]] = {}
        for shown in distinct(raw):
            if isinstance(shown, str) and shown not in old and (folded := fold(shown)):
                by_folded.setdefault(folded, []).append(shown)
        return cls(by_folded, sorted({len(folded) for folded in by_folded}, reverse=True))

    def made_of(self, form: Raw) -> str | None:
        """Return the longest that trimming, folding or cutting makes of what we sent, if any does.

        Never guessed by count: a human's new tag would become the alias of ours (rule F14).
        """
        whole = fold(form) if isinstance(form, str) else ""
        for length in self.lengths:
            if spellings := self.by_folded.get(whole[:length]):
                return spellings[0]
        return None

    def take_out(self, shown: str) -> None:
        """Leave out one that was found to be ours."""
        self.by_folded[fold(shown)].remove(shown)


def _note_what_was_not_taken(case: Case, attempt: Attempt, raw: Raw, unfound: list[str]) -> None:
    """Find what the vendor made of each element that was sent: an alias, or nothing: a lack."""
    new = _NewSpellings.of(case, attempt, raw)
    for name in unfound:
        shown = new.made_of(case.field_map.write(name))
        if shown is not None:
            case.entry.alias[shown] = name
            new.take_out(shown)
        else:
            _note_lack(case, name, "not carried")


def _note_lack(case: Case, name: str, kind: str) -> None:
    """Note that this side does not follow the state in one element, for its present revision."""
    element = case.state.elements.setdefault(
        name, Element(present=False, rev=case.state.rev, by="")
    )
    case.entry.lacks[name] = element.rev
    case.note(kind, element=name, rev=element.rev)


def strangers(case: Case, raw: Raw) -> list[str]:
    """Return the elements that are in a raw set but not in the state."""
    known = present_elements(case.state)
    return sorted(read_set(case.field_map, case.entry, raw, known).keys() - known)
