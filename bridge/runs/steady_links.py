"""Sees of most links, without loading them, that changed mappings do nothing to them.

It asks what reading a link anew and planning it would come to, with outlines alone. It only ever
says yes: whatever is not certain is left to those who load the link.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.core.mapping.fieldmap import FieldMap, same_declaration
from bridge.core.merge.rereading import KnownReadings
from bridge.core.model.syncs import Sync
from bridge.core.model.values import same_json
from bridge.engine.context import Context
from bridge.ledger import link_outlines
from bridge.ledger.link_outlines import PLAIN, LinkOutline, ParsedOutline
from bridge.runs.plain_links import PlainLinks

Place = tuple[str, str]
"""Connection and field."""
MAX_REMEMBERED = 100_000
"""Pairs of values of which it is remembered whether they agree."""


@dataclass(frozen=True, slots=True)
class SteadyLinks:
    """The links of one sync, and what the changed files say about each of them."""

    entity: str
    plain: PlainLinks
    known: KnownReadings
    changed: Mapping[str, Collection[str]]
    """By connection: the fields that are read otherwise."""
    agreed: dict[tuple[Any, ...], bool] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        context: Context,
        sync: Sync,
        known: KnownReadings,
        changed: Mapping[str, Collection[str]],
    ) -> SteadyLinks:
        """Return what it takes; `known`: which stored values the changed mappings read as well."""
        return cls(sync.entity, PlainLinks.of(context, sync), known, changed)

    def unread_of(self, outline: LinkOutline | None) -> list[Place] | None:
        """Return the places of a link whose values nobody knows until they are read.

        None: it is not certain that else nothing of it is another by the changed files.
        """
        if outline is None or outline.entity != self.entity:
            return None
        link = link_outlines.parsed(outline)
        if link is None or any("candidates" in state for state in link.state.values()):
            return None
        if not self.plain.owe_nothing(link):
            return None
        unread: list[Place] = []
        for connection, shown in link.sides.items():
            if outline.sides[connection].read_at is None:
                continue
            for name in self.changed[connection]:
                field_map = self.plain.fields[connection][name]
                verdict = self._verdict(connection, field_map, shown.get(name), link)
                if verdict is None:
                    return None
                if verdict:
                    unread.append((connection, name))
        return unread

    def _verdict(
        self, connection: str, field_map: FieldMap, entry: Mapping[str, Any] | None, link: Any
    ) -> bool | None:
        """Return whether nobody knows the value; None: it may be that it reads otherwise."""
        revisions = self.known.get(connection, {}).get(field_map.name)
        if revisions is None:
            return True
        if entry is None:
            return False
        if "unreadable" in entry or "shadow" not in entry:
            return None
        revision = entry.get("map_rev", "")
        if same_declaration(revision, field_map.revision):
            return False if revision == field_map.revision else None
        if not any(same_declaration(revision, each) for each in revisions):
            return True
        return False if self._agrees(connection, field_map, entry, link) else None

    def _agrees(
        self, connection: str, field_map: FieldMap, entry: Mapping[str, Any], link: ParsedOutline
    ) -> bool:
        """Return whether a value certainly agrees with the state by the mapping of now."""
        state, shadow = link.state.get(field_map.name), entry["shadow"]
        if field_map.is_set:
            return "alias" not in entry and _set_agrees(field_map, shadow, state)
        if type(shadow) not in PLAIN:
            return False
        if state is None or not state["rev"]:
            return shadow is None and field_map.read(shadow) is None
        value = state["value"]
        if type(value) not in PLAIN:
            return False
        if state.get("from") == connection:
            return bool(field_map.read(shadow) == value)  # see `scalars.first_contact`
        key = (connection, field_map.name, type(shadow), shadow, type(value), value)
        known = self.agreed.get(key)
        if known is None:
            known = field_map.read(shadow) == value or same_json(field_map.write(value), shadow)
            self._remember(key, agrees=known)
        return known

    def _remember(self, key: tuple[Any, ...], *, agrees: bool) -> None:
        if len(self.agreed) < MAX_REMEMBERED:
            self.agreed[key] = agrees


def _set_agrees(field_map: FieldMap, shadow: Any, state: Mapping[str, Any] | None) -> bool:
    """Return whether a set certainly has the elements of the state, no more and no less."""
    if shadow is not None and type(shadow) is not list:
        return False
    if state is None or not state["rev"]:
        return not shadow
    elements: Mapping[str, Any] = state.get("elements", {})
    # One without a reading is no name, so the two differ.
    here = {field_map.read(each) for each in shadow or ()}
    return here == {name for name, known in elements.items() if known[0]}
