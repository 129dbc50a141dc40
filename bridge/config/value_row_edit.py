"""Lets a value of theirs read as one of ours in the text of a mapping, whichever tables it has.

A table `read` alone serves both ways as long as no two of theirs mean the same of ours. Where the
new row would end that, the words that were sent so far are written down as the table `write`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bridge.config import yaml_edit
from bridge.config.yaml_reader import Where, parse
from bridge.config.yaml_text import flow
from bridge.core.model.values import Canonical, Raw
from bridge.errors import NotPossible

BY_HAND: Final = "has no table to which a row could be added: its line has to be changed by hand"

Added = dict[str, str]
"""What a field was given: key of its declaration -> what stands there now, or what was added."""


def with_reading(
    text: str, shown: str, where: Where, theirs: Raw, ours: Canonical, words: Sequence[str]
) -> tuple[str, Added]:
    """Return the text of a mapping in which the field at `where` reads one value more.

    `shown` is the file's name for messages; `words` are all values of a choice, in our words, so
    that one without a table can be given tables. Raises NotPossible where there is no table and can
    be none, and what `yaml_edit.with_row` raises.
    """
    if isinstance(theirs, list | dict):
        raise NotPossible(f"{shown}: a list or an object can be in no table")
    declared = parse(text, shown).data
    for step in where:
        declared = declared.get(step) if isinstance(declared, Mapping) else None
    if isinstance(declared, str) and words:
        added = _own_words(words, (), theirs, ours)
        whole = {"path": declared, **added}
        return yaml_edit.with_value(text, shown, where, whole), _told(added)
    if not isinstance(declared, Mapping):
        raise NotPossible(f"{shown}: {where[-1]} {BY_HAND}")
    if isinstance(declared.get("values"), Mapping):
        return _in_groups(text, shown, (*where, "values"), declared["values"], theirs, ours)
    if not isinstance(declared.get("read"), Mapping):
        added = _first_tables(declared, f"{shown}: {where[-1]} {BY_HAND}", theirs, ours, words)
        for key, table in added.items():
            text = yaml_edit.with_row(text, shown, where, key, table)
        return text, _told(added)
    text = yaml_edit.with_row(text, shown, (*where, "read"), theirs, ours)
    told = {"read": flow({theirs: ours})}
    back = _first_of_each(declared["read"])
    if "path" not in declared or isinstance(declared.get("write"), Mapping) or ours not in back:
        return text, told
    return yaml_edit.with_row(text, shown, where, "write", back), told | _told({"write": back})


def _first_tables(
    declared: Mapping[str, Any], by_hand: str, theirs: Raw, ours: Canonical, words: Sequence[str]
) -> dict[str, dict[Any, Any]]:
    """Return the tables for a field that has none under `read`. Raises NotPossible."""
    if "path" in declared and "read" not in declared:
        write = declared.get("write")
        if isinstance(write, Mapping):
            return {"read": _first_of_each(write) | {theirs: ours}}
        if words:
            return _own_words(words, declared.get("not_carried", ()), theirs, ours)
    raise NotPossible(by_hand)


def _in_groups(
    text: str,
    shown: str,
    where: Where,
    groups: Mapping[Canonical, Any],
    theirs: Raw,
    ours: Canonical,
) -> tuple[str, Added]:
    """Add a value to the group that `values` has for one of ours, at its end: another is sent."""
    told = {"values": flow({ours: theirs})}
    at = (*where, ours)
    if ours not in groups:
        return yaml_edit.with_row(text, shown, where, ours, theirs), told
    if isinstance(groups[ours], list):
        return yaml_edit.with_listed(text, shown, at, theirs), told
    both = [groups[ours], theirs]
    return yaml_edit.with_value(text, shown, at, both), {"values": flow({ours: both})}


def _first_of_each(table: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return a table turned round; of two rows that lead to the same, the first counts."""
    back: dict[Any, Any] = {}
    for left, right in table.items():
        back.setdefault(right, left)
    return back


def _own_words(
    words: Sequence[str], not_carried: Sequence[Any], theirs: Raw, ours: Canonical
) -> dict[str, dict[Any, Any]]:
    """Return the tables of a choice that has read and written our own words so far."""
    known: dict[Any, Any] = {word: word for word in words} | {None: None}
    write = {word: raw for word, raw in known.items() if word not in not_carried}
    return {"read": known | {theirs: ours}, "write": write}


def _told(tables: Mapping[str, Mapping[Any, Any]]) -> Added:
    return {key: flow(table) for key, table in tables.items()}
