"""The merge of sets, element by element: a set is a field of elements, whatever policy is declared for it.

Everything is compared as canonical elements; spelling (`VIP`) stays the side's own business. An
addition always survives a removal that had not seen it.
"""

from __future__ import annotations

from bridge.core.merge.case import Case
from bridge.core.merge.equality import (
    elements_of,
    lack_holds,
    normalises_to,
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
from bridge.core.model.state import NEVER, Attempt, Element
from bridge.core.model.values import Marker, Raw


def change(case: Case, raw: Raw, base: Raw | Marker | None = None) -> None:
    """Merge what was added and removed since the base (the shadow, unless our own write explains more)."""
    known = present_elements(case.state)
    before = read_set(case.mapped, case.entry, case.entry.shadow if base is None else base, known)
    now = read_set(case.mapped, case.entry, raw, known)
    added, removed = sorted(now.keys() - before.keys()), sorted(before.keys() - now.keys())
    _take_in(case, raw)
    if case.state.candidates is None:
        _apply(case, raw, added, removed)
    elif added or removed:
        replace_candidate(case, raw)


def _apply(case: Case, raw: Raw, added: list[str], removed: list[str]) -> None:
    state, was_level = case.state, not case.behind()
    gone = [name for name in removed if _may_remove(case, name)]
    kept = [name for name in removed if name not in gone and _is_in(case, name)]
    if kept:  # due again, also where the removal was the only news
        case.entry.level = min(case.entry.level, state.rev - 1)
    if not added and not gone:
        _level_if_done(case, was_level=was_level and not kept)
        return
    if _turned_round(case, added, gone) and count_change_of_hands(case):
        open_conflict(case, raw, FUSE)
        return
    for name in added:
        _note_resurrection(case, name)
    rev = state.rev + 1
    for name in added:
        state.elements[name] = Element(present=True, rev=rev, by=case.connection)
    for name in gone:
        state.elements[name] = Element(present=False, rev=rev, by=case.connection)
    move_state(state, tuple(sorted(present_elements(state))), case.connection, case.interval)
    case.note("changed", raw=raw, value=state.value, added=added, removed=gone, rev=rev)
    _level_if_done(case, was_level=was_level and not kept)


def _is_in(case: Case, name: str) -> bool:
    element = case.state.elements.get(name)
    return element is not None and element.present


def _unseen(case: Case, name: str) -> bool:
    """Tell whether somebody else decided about the element after this side was last level."""
    element = case.state.elements.get(name)
    return element is not None and element.rev > case.entry.level and element.by != case.connection


def _may_remove(case: Case, name: str) -> bool:
    """Tell whether a removal counts: it must be of something that this side had seen, and be believable there."""
    if not _is_in(case, name):
        return False
    if not case.able.removes:
        case.note(
            "ambiguous removal", element=name, why="a removal read here is not to be believed: kept"
        )
        return False
    if _unseen(case, name):
        _pair(
            case,
            name,
            winner=case.state.elements[name].by,
            why="added elsewhere, unseen by the removal: kept",
        )
        return False
    return True


def _note_resurrection(case: Case, name: str) -> None:
    element = case.state.elements.get(name)
    if element is not None and not element.present and _unseen(case, name):
        _pair(
            case,
            name,
            winner=case.connection,
            why="removed elsewhere, unseen by the addition: the addition wins",
        )


def _pair(case: Case, name: str, *, winner: str, why: str) -> None:
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


def _turned_round(case: Case, added: list[str], gone: list[str]) -> bool:
    """Tell whether the change undoes what another side did: only that is passing a field to and fro."""
    elements = case.state.elements
    undone = [name for name in added if name in elements and not elements[name].present] + gone
    return any(elements[name].by != case.connection for name in undone)


def _take_in(case: Case, raw: Raw) -> None:
    """Make the raw set the shadow; spellings and shortcomings that it disproves are forgotten."""
    entry, fresh = case.entry, unreadable_elements(case.mapped, raw)
    known = unreadable_elements(case.mapped, entry.shadow)
    for name, why in fresh.items():
        if name not in known:
            case.note("unreadable", element=name, why=why)
    case.base(raw)
    shown = elements_of(raw)
    entry.alias = {spelled: name for spelled, name in entry.alias.items() if spelled in shown}
    here = read_set(case.mapped, entry, raw, present_elements(case.state))
    entry.lacks = {
        name: rev
        for name, rev in entry.lacks.items()
        if lack_holds(entry, case.state, name) and (name in here) != _is_in(case, name)
    }


def _level_if_done(case: Case, *, was_level: bool) -> None:
    """A set is level only when nothing is left to do, or when it was level and all of its change was accepted."""
    if was_level or case.agrees(case.entry.shadow):
        case.level()


# --- first contact
# -------------------------------------------------------------------------------------------------


def first_contact(case: Case, raw: Raw) -> None:
    """Unite a set that has no base with the state: an element missing on either side was not removed by anybody."""
    known, state = present_elements(case.state), case.state
    here = read_set(case.mapped, case.entry, raw, known)
    _take_in(case, raw)
    if state.candidates is not None:
        case.entry.level = NEVER
        _level_if_done(case, was_level=False)
        return
    fresh, absent = sorted(here.keys() - known), sorted(known - here.keys())
    if state.rev and (fresh or absent):
        mine, theirs = (
            {"value": sorted(here), "raw": raw, "by": case.connection},
            {"value": state.value, "by": state.set_by},
        )
        case.note(
            "first contact",
            mine=mine,
            theirs=theirs,
            winner="union",
            why="both sets had a history",
            sides=[state.set_by, case.connection],
            added=fresh,
            missing=absent,
        )
    if fresh:
        for name in fresh:
            state.elements[name] = Element(present=True, rev=state.rev + 1, by=case.connection)
        move_state(
            state, tuple(sorted(present_elements(state))), case.connection, (None, case.interval[1])
        )
        case.note("observed", raw=raw, value=state.value, added=fresh, rev=state.rev)
    case.entry.level = NEVER
    _level_if_done(case, was_level=state.rev == 0)


# --- our own writes
# ------------------------------------------------------------------------------------------------


def untouched(case: Case, attempt: Attempt, raw: Raw) -> bool:
    """Tell whether the set reads as it did before a call that was to change it."""
    before, sent, now = _three(case, attempt, raw)
    return before == now.keys() != sent


def landed(case: Case, attempt: Attempt, raw: Raw) -> bool:
    """Tell whether anything that the call was to add or remove shows in the set."""
    before, sent, now = _three(case, attempt, raw)
    if (
        before == sent
        or any(name in now for name in sent - before)
        or any(name not in now for name in before - sent)
    ):
        return True
    spelled = [
        element
        for element in elements_of(raw)
        if element not in elements_of(attempt.before.get(case.name))
    ]
    return any(_alias(case, attempt, name, spelled) is not None for name in sent - before)


def written(case: Case, attempt: Attempt, raw: Raw) -> None:
    """Take in a set after our own write has landed: what our call explains is no human's doing."""
    before, sent, now = _three(case, attempt, raw)
    spelled = [
        element
        for element in elements_of(raw)
        if element not in elements_of(attempt.before.get(case.name))
    ]
    replaced = isinstance(attempt.call.get(case.mapped.write_key or "", []), list | tuple)
    # An answer that lacks what a replacing call has carried speaks of the vendor; a later read may
    # speak of a human.
    promised = sent if replaced and case.obs.own else sent - before
    for name in sorted(promised - now.keys()):
        shown = _alias(case, attempt, name, spelled)
        if shown is not None:
            case.entry.alias[shown] = name
            spelled.remove(shown)
        else:
            _lack(case, name, "not carried")
    for name in sorted((before - sent) & now.keys()):
        _lack(case, name, "not given up")
    here = _three(case, attempt, raw)[2]
    human = [element for name, element in here.items() if name not in sent | before]
    base = [element for element in elements_of(raw) if element not in human]
    stood = read_set(
        case.mapped, case.entry, attempt.before.get(case.name), present_elements(case.state)
    )
    base += [
        stood[name] for name in sorted((before & sent) - here.keys() - promised) if name in stood
    ]
    case.note(
        "written", sent=attempt.sent[case.name], raw=raw, before=attempt.before.get(case.name)
    )
    change(case, raw, base)


def not_written(case: Case, attempt: Attempt, raw: Raw) -> None:
    """Take in a set after our write did not land: additions are a human's, unless the state has moved on since."""
    before, sent, now = _three(case, attempt, raw)
    stale = {name for name in (sent - before) & now.keys() if not _is_in(case, name)}
    base = [*elements_of(attempt.before.get(case.name)), *(now[name] for name in sorted(stale))]
    moved = case.obs.version is None or case.obs.version != attempt.version
    case.note("re-sent" if moved else "did not land", sent=attempt.sent[case.name], raw=raw)
    change(case, raw, base)


def _three(case: Case, attempt: Attempt, raw: Raw) -> tuple[set[str], set[str], dict[str, Raw]]:
    """Read what stood there, what was sent, and what is there now, as canonical elements."""
    known = set(attempt.values.get(case.name) or ()) | present_elements(case.state)
    before = read_set(case.mapped, case.entry, attempt.before.get(case.name), known)
    sent = read_set(case.mapped, case.entry, attempt.sent[case.name], known)
    return set(before), set(sent), read_set(case.mapped, case.entry, raw, known)


def _alias(case: Case, attempt: Attempt, name: str, spelled: list[Raw]) -> str | None:
    """Find the element of an answer that trimming, folding or cutting makes of one we sent; the longest, if several."""
    form = case.mapped.write(name)
    sent = elements_of(attempt.sent[case.name])
    fitting = [
        shown
        for shown in spelled
        if isinstance(shown, str) and shown not in sent and normalises_to(form, shown)
    ]
    return max(fitting, key=len, default=None)


def _lack(case: Case, name: str, kind: str) -> None:
    element = case.state.elements.setdefault(
        name, Element(present=False, rev=case.state.rev, by="")
    )
    case.entry.lacks[name] = element.rev
    case.note(kind, element=name, rev=element.rev)


def strangers(case: Case, raw: Raw) -> list[str]:
    """Give the elements that are in a raw set but not in the state."""
    known = present_elements(case.state)
    return sorted(read_set(case.mapped, case.entry, raw, known).keys() - known)
