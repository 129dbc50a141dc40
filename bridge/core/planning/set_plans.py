"""Plans what a set needs: one write of the whole set, or one call for each element (rule F14).

Whole: the side's own elements that stay, spelled as they are, and the missing ones. A set whose
last read was unreadable is never replaced: that would wipe what was not shown (rule F15).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bridge.core.mapping.fieldmap import FieldMap
from bridge.core.merge.equality import (
    distinct,
    elements_of,
    lack_holds,
    meanings,
    present_elements,
)
from bridge.core.model.capabilities import EntityCapabilities, Verb, Writable
from bridge.core.model.outcome_codes import Code
from bridge.core.model.state import FieldState, SideField
from bridge.core.model.values import NotCarried, Raw
from bridge.core.planning.calls import PlannedCall, Recipient, Want


@dataclass(frozen=True, slots=True)
class SetVerbs:
    """The calls by which a system lets a set be changed."""

    add: Verb | None = None
    remove: Verb | None = None
    replace: Verb | None = None

    @classmethod
    def of(cls, capabilities: EntityCapabilities, key: str) -> SetVerbs:
        """Return the first declared verb of each sort that writes the key."""
        by_sort: dict[str, Verb] = {}
        for verb in capabilities.verbs:
            if key in verb.writes:
                by_sort.setdefault(verb.element, verb)
        return cls(by_sort.get("add"), by_sort.get("remove"), by_sort.get(""))


@dataclass(frozen=True, slots=True)
class _SetPlan:
    """One set of the recipient, while it is planned."""

    recipient: Recipient
    field_map: FieldMap
    key: str
    writable: Writable
    verbs: SetVerbs
    entry: SideField
    state: FieldState
    wanted: set[str]
    """The canonical elements that the state has."""
    shown: list[tuple[Raw, list[str]]]
    """The side's raw elements, each with the canonical elements that it stands for."""

    @property
    def name(self) -> str:
        """Return the canonical field."""
        return self.field_map.name

    def to_add(self, here: Mapping[str, Raw]) -> list[Raw]:
        """Return the missing elements as this system writes them.

        Those that it does not take are declined, each by itself.
        """
        forms: list[Raw] = []
        for element in sorted(self.wanted - here.keys()):
            if lack_holds(self.entry, self.state, element):
                continue
            raw = self.field_map.write(element)
            if isinstance(raw, NotCarried):
                self.recipient.decline_element(self.name, element, raw)
            elif self.verbs.add is None and self.verbs.replace is None:
                reason = NotCarried(f"{self.key} cannot be added to", Code.SYSTEM_FIXED)
                self.recipient.decline_element(self.name, element, reason)
            else:
                forms.append(raw)
        return forms

    def to_remove(self, here: Mapping[str, Raw], added: list[Raw]) -> list[str]:
        """Return the canonical elements to take out.

        Empty if the system lets none be taken out; then they are declined.
        """
        extra = sorted(
            element
            for element in here.keys() - self.wanted
            if not lack_holds(self.entry, self.state, element)
        )
        if not extra:
            return extra
        why = self._why_not_removable(extra, added)
        if why:
            self._decline_removals(extra, added, why)
            return []
        return extra

    def _why_not_removable(self, extra: list[str], added: list[Raw]) -> str:
        """Return why elements cannot be taken out; empty if they can."""
        if not self.writable.removes or (self.verbs.remove is None and self.verbs.replace is None):
            return f"nothing can be removed from {self.key}"
        if not self.writable.clears and not added and not self.kept(extra):
            return f"{self.key} cannot be emptied"
        return ""

    def _decline_removals(self, extra: list[str], added: list[Raw], why: str) -> None:
        """Leave elements that cannot be taken out alone, for as long as nobody decides anew."""
        unknown = [element for element in extra if element not in self.state.elements]
        for element in extra:
            if element in self.state.elements:
                reason = NotCarried(why, Code.SYSTEM_FIXED)
                self.recipient.decline_element(self.name, element, reason)
        if unknown and not added:
            # No state knows them, so there is no revision to remember them by: the field it is.
            reason = NotCarried(f"{why}: {', '.join(unknown)}", Code.SYSTEM_FIXED)
            self.recipient.decline(self.name, reason)

    def kept(self, extra: Iterable[str]) -> list[Raw]:
        """Return the raw elements that stay when the extra ones go. What cannot be read stays."""
        going = set(extra)
        return [raw for raw, names in self.shown if not names or not going.issuperset(names)]


def plan_set(
    recipient: Recipient, field_map: FieldMap, key: str, writable: Writable
) -> tuple[Want | None, list[PlannedCall]]:
    """Return one write of the whole set, or else a call for each element.

    The side's own spellings stay as they are. What the system does not take, or give up, is
    declined on the way.
    """
    state, entry = recipient.state(field_map.name), recipient.entry(field_map.name)
    verbs = SetVerbs.of(recipient.capabilities, key)
    wanted = present_elements(state)
    shown = list(meanings(field_map, entry, entry.shadow, wanted))
    plan = _SetPlan(recipient, field_map, key, writable, verbs, entry, state, wanted, shown)
    here = {name: raw for raw, names in reversed(shown) for name in names}
    added = plan.to_add(here)
    if entry.unreadable:
        return None, _element_calls(plan, added, [])
    removed = plan.to_remove(here, added)
    # Verbs for elements are better, where there are any: they leave a human's newest element alone.
    if (added and verbs.add is None) or (removed and verbs.remove is None):
        whole = distinct([*plan.kept(removed), *added])
        losses = tuple(f"{field_map.name}: {element!r} removed" for element in removed)
        return Want(field_map.name, key, whole, losses), []
    return None, _element_calls(plan, added, removed)


def _element_calls(plan: _SetPlan, added: list[Raw], removed: list[str]) -> list[PlannedCall]:
    """Return calls that add or remove one element each, every one from where the last leads."""
    calls: list[PlannedCall] = []
    now = elements_of(plan.entry.shadow)
    if plan.verbs.add is not None:
        for raw in added:
            after = [*now, raw]
            calls.append(_element_call(plan, plan.verbs.add, raw, now, after))
            now = after
    if plan.verbs.remove is not None:
        for raw, element in _spellings(plan, removed).items():
            after = [spelled for spelled in now if spelled != raw]
            loss = f"{plan.name}: {element!r} removed"
            calls.append(_element_call(plan, plan.verbs.remove, raw, now, after, loss))
            now = after
    return calls


def _spellings(plan: _SetPlan, removed: list[str]) -> dict[Raw, str]:
    """Return the raw elements to take out, each with the canonical element that it stands for."""
    spelled: dict[str, list[Raw]] = {element: [] for element in removed}
    for raw, names in plan.shown:
        if len(set(names)) == 1 and names[0] in spelled:
            spelled[names[0]].append(raw)
    return {raw: element for element, spellings in spelled.items() for raw in spellings}


def _element_call(
    plan: _SetPlan, verb: Verb, raw: Raw, before: Raw, after: Raw, *losses: str
) -> PlannedCall:
    """Return a call of one element, which turns the set from `before` into `after`."""
    return PlannedCall(
        verb=verb.name,
        body={plan.key: raw},
        sent={plan.name: after},
        before={plan.name: before},
        state_values={plan.name: plan.state.value},
        revs={plan.name: plan.state.rev},
        destructive=losses,
    )
