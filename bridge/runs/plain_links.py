"""Sees of most links, without loading them, that nothing is owed to any of their sides.

It asks what `replan.plans` asks, with outlines alone. It only ever says yes: whatever is not
certain is left to the planner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.core.mapping.fieldmap import FieldMap
from bridge.core.model.outcome_codes import Code
from bridge.core.model.state import NEVER
from bridge.core.model.syncs import Sync
from bridge.core.planning.planner import why_never_written
from bridge.engine.context import Context
from bridge.ledger.link_outlines import ParsedOutline, StoredFields


@dataclass(frozen=True, slots=True)
class PlainLinks:
    """The links of one sync, and what the files say about each of them."""

    fields: Mapping[str, Mapping[str, FieldMap]]
    """Member of the sync -> all its fields."""
    written: Mapping[str, Sequence[FieldMap]]
    """Member -> the fields that may be written there."""
    never_made: frozenset[str]
    """Members that get no record of a link where they have none."""

    @classmethod
    def of(cls, context: Context, sync: Sync) -> PlainLinks:
        """Return what it takes to look at the links of a sync."""
        return cls(
            {name: context.maps[name][sync.entity].fields for name in sync.members},
            {name: _written(context, name, sync) for name in sync.members},
            frozenset(name for name in sync.members if not context.makes(sync, name)),
        )

    def owe_nothing(self, link: ParsedOutline) -> bool:
        """Return whether it is certain that no side needs a call, and no member a record.

        False says nothing. See `planner.plan`.
        """
        if not link.sides.keys() <= self.written.keys():
            return False
        for name, fields in self.written.items():
            known = link.sides.get(name)
            if known is None:
                if name not in self.never_made:
                    return False
            else:
                for field_map in fields:  # no comprehension: this is asked of every row's fields
                    if not _is_level(field_map, known, link.state):
                        return False
        return True

    def were_read_as_now(self, link: ParsedOutline) -> bool:
        """Return whether every field that was ever shown was last read by the mapping of now."""
        return all(
            entry.get("map_rev", "") == self.fields[name][field].revision or not _was_shown(entry)
            for name, known in link.sides.items()
            for field, entry in known.items()
            if field in self.fields[name]
        )


def _was_shown(entry: Mapping[str, Any]) -> bool:
    """Return whether a side has ever shown a field, be it so that nobody could read it."""
    seen = "shadow" in entry or "shown" in entry
    return seen or entry.get("unreadable_code", Code.READ_ABSENT) != Code.READ_ABSENT


def _written(context: Context, connection: str, sync: Sync) -> list[FieldMap]:
    """Return the fields that may be written to a connection, whatever their values."""
    rules, able = context.rules(sync), context.capabilities[connection][sync.entity]
    probed = context.probes.get(connection, {})
    return [
        field_map
        for field_map in rules.maps[connection].fields.values()
        if why_never_written(connection, field_map, rules, able, probed) is None
    ]


def _is_level(field_map: FieldMap, known: StoredFields, states: StoredFields) -> bool:
    """Return whether a side has certainly nothing to be told about a field.

    These are the reasons of `planner` for which a field is not due, as far as they need no values.
    """
    name = field_map.name
    state, entry = states.get(name), known.get(name)
    if state is None or entry is None:
        return True  # never set, or no base to plan from
    rev, decided = state["rev"], entry.get("decided")
    if entry.get("level", NEVER) >= rev and (decided is None or decided.get(name) != rev):
        return True  # as nearly every field is
    if not rev or "candidates" in state:
        return True  # never set, or frozen by an open conflict
    if "shadow" not in entry or entry.get("map_rev", "") != field_map.revision:
        return True  # no base to plan from
    if "unreadable" in entry and (not field_map.is_set or entry.get("tried", NEVER) >= rev):
        return True
    return decided is not None and not entry.get("open_to_review") and _holds(decided, states)


def _holds(decided: Mapping[str, int], states: StoredFields) -> bool:
    """Return whether nothing has moved on which a decision was based."""
    revs = {name: states[name]["rev"] if name in states else 0 for name in decided}
    return revs == decided
