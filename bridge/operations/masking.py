"""Personal values as those see them who do not need them: a mark stands in their place.

Where the settings say `mask_personal`, every operation that gives values of tickets away does so
through this module, so that pages, API and whatever comes show the same. What is personal the
fields themselves say, and a field that no file declares is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from bridge.core.model.entities import Field
from bridge.core.model.outcome_codes import DECLARED, code_named, of_entry
from bridge.core.model.outcome_meanings import MEANINGS
from bridge.core.model.state import FieldState, Link, Side
from bridge.core.model.values import Marker
from bridge.errors import NotPossible
from bridge.ledger.parking import Parked
from bridge.ledger.timeline import TimelineEntry
from bridge.operations.desk import Desk

MASK: Final = "•••"
SHORTEST: Final = 3
"""Characters of a personal text that is looked for in other texts: shorter ones are in all."""
PLAIN: Final = frozenset({"ref", "by", "winner", "run", "rev", "mapping_revision", "revision"})
"""Parts of a timeline's entry that hold no value of a ticket."""
WORDS: Final = frozenset({"why", "cause", "code"})
"""Parts that say why in words."""
_ADDRESS: Final = re.compile(r"[^\s@<>\"'(){},;:=]{1,64}@[^\s@<>\"'(){},;:=]{1,255}")
KINDS: Final = frozenset({"email", "agent"})
"""Whatever is said of a field of these kinds, it holds an address."""


def is_personal(known: Mapping[str, Field], name: str) -> bool:
    """Return whether a field of an entity may tell of a person; `known`: the entity's fields."""
    return name not in known or known[name].personal or known[name].kind in KINDS


def without_addresses(text: str) -> str:
    """Return a text with a mark in place of each e-mail address."""
    return _ADDRESS.sub(MASK, text) if "@" in text else text


def without(words: Iterable[str], text: str) -> str:
    """Return a text with a mark in place of each of these words, and of each e-mail address."""
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, MASK)
    return without_addresses(text)


def without_addresses_within(value: Any) -> Any:
    """Return plain data with a mark in place of each e-mail address in it."""
    if isinstance(value, str):
        return without_addresses(value)
    if isinstance(value, Mapping):
        return {
            without_addresses(str(key)): without_addresses_within(each)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_addresses_within(each) for each in value]
    return value


def of_cause(desk: Desk, row: Parked) -> Parked:
    """Return a piece of parked work; a masked desk is told its cause, and no vendor's words."""
    return replace(row, why=MEANINGS[row.code].title) if desk.masks else row


def refuse_search(desk: Desk, what: str) -> None:
    """Raise NotPossible where somebody looks for a value that they are not to see.

    To find is to know: whoever may look for an address learns whether there is one.
    """
    if desk.masks:
        raise NotPossible(f"your role does not show {what}, so none is looked for; ask an admin")


@dataclass(frozen=True, slots=True)
class Mask:
    """What hides the personal values of one ticket."""

    known: Mapping[str, Field]
    """The fields of its entity."""
    words: Sequence[str] = field(default=(), repr=False)
    """Its personal texts, the longest first, wherever they stand."""

    def value(self, name: str, value: Any) -> Any:
        """Return a field's value, or a mark in place of it; nothing stays nothing."""
        if value in (None, "", [], {}) or isinstance(value, Marker):
            return value
        return MASK if is_personal(self.known, name) else without_addresses_within(value)

    def text(self, text: str) -> str:
        """Return a text without what it tells of the ticket's people."""
        return without(self.words, text)

    def leaves(self, value: Any) -> Any:
        """Return plain data with every text in it looked through."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.leaves(key): self.leaves(each) for key, each in value.items()}
        return [self.leaves(each) for each in value] if isinstance(value, list | tuple) else value

    def reason(self, why: str, code: str) -> str:
        """Return a reason: ours as it is, and in place of what may be a vendor's words its code's.

        Vendors' answers repeat what they were sent, whole or in part.
        """
        known = code_named(code) if code else None
        if known is None or known in DECLARED:
            return self.text(why)
        return MEANINGS[known].title if why else ""

    def entry(self, entry: TimelineEntry) -> TimelineEntry:
        """Return an entry of the timeline."""
        return replace(entry, detail=self.detail(entry.kind, entry.field, entry.detail))

    def detail(self, kind: str, field: str, detail: Mapping[str, Any]) -> dict[str, Any]:
        """Return what an entry of the timeline says beside its kind and its field."""
        code = of_entry(kind, detail)
        return {
            key: each if key in PLAIN else self._part(field, code, key, each)
            for key, each in detail.items()
        }

    def _part(self, field: str, code: str, key: str, value: Any) -> Any:
        if key in WORDS:
            return self.reason(value, code) if isinstance(value, str) else value
        if field:
            return self.value(field, value)
        if isinstance(value, Mapping):  # by field
            return {name: self.value(str(name), each) for name, each in value.items()}
        return self.leaves(value)


def mask_of(desk: Desk, link: Link, entries: Iterable[TimelineEntry] = ()) -> Mask:
    """Return what hides the personal values of a ticket, in what happened to it too."""
    known = desk.context.fields.get(link.entity, {})
    found = {*_of_link(link, known), *_of_entries(entries, known)}
    words = sorted((word for word in found if len(word) >= SHORTEST), key=len, reverse=True)
    return Mask(known, words)


def _of_link(link: Link, known: Mapping[str, Field]) -> Iterator[str]:
    for name, state in link.state.items():
        if is_personal(known, name):
            yield from _texts([state.value, *_candidates(state)])
    for side in (link.sides | link.retired).values():
        yield from _of_side(side, known)


def _candidates(state: FieldState) -> Iterable[Any]:
    return (state.candidates or {}).values()


def _of_side(side: Side, known: Mapping[str, Field]) -> Iterator[str]:
    for name, entry in side.fields.items():
        if is_personal(known, name):
            yield from _texts([entry.shadow, entry.shown])


def _of_entries(entries: Iterable[TimelineEntry], known: Mapping[str, Field]) -> Iterator[str]:
    for entry in entries:
        for key, value in entry.detail.items():
            if key in WORDS or key in PLAIN:
                continue
            if entry.field and is_personal(known, entry.field):
                yield from _texts(value)
            elif not entry.field and isinstance(value, Mapping):
                yield from _texts([v for name, v in value.items() if is_personal(known, str(name))])


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in plain data."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
