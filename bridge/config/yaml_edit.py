"""Adds a row to a mapping or an item to a list of a YAML file, or replaces a value; the rest stays.

Every other byte is as it was: comments, quotes and ends of lines.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from bridge.config.yaml_reader import Where, compose, dotted, parse
from bridge.config.yaml_text import block, flow, list_item, scalar
from bridge.errors import ConfigError, NotPossible

LEVELS_OF_AN_ITEM = 2
"""An item of a list has so many levels of mappings on lines of their own."""


def has(text: str, shown: str, where: Where) -> bool:
    """Return whether a file has a part."""
    return where in parse(text, shown).lines


def with_row(text: str, shown: str, where: Where, key: Any, value: Any) -> str:
    """Return the text of a file with one more row in the mapping at `where`.

    `shown` is the file's name for messages; a value with parts stands on one line, in brackets.
    Raises NotPossible where there is no mapping, where the
    key stands in it already or can be none, or where the row cannot be put in without touching
    something else.
    """
    if isinstance(key, list | dict):
        raise NotPossible(f"{shown}: a list or an object can be in no table")
    document = parse(text, shown)
    wanted = deepcopy(document.data)
    rows = _part(wanted, where)
    if not isinstance(rows, dict) or not rows:
        raise NotPossible(f"{shown}: {dotted(where)} has no rows to which one could be added")
    if key in rows:
        line = document.lines[*where, key]
        raise NotPossible(f"{shown}:{line}: {dotted((*where, key))} stands there already")
    rows[key] = value
    changed = _inserted(text, _mapping_at(compose(text), where), f"{scalar(key)}: {flow(value)}")
    if not _reads_as(changed, shown, wanted):
        line = document.lines[where]
        raise NotPossible(f"{shown}:{line}: the row has to be added by hand")
    return changed


def _part(data: Any, where: Where) -> Any:
    """Return a part of a file's data; None: there is none."""
    for step in where:
        if isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            data = data.get(step) if isinstance(data, dict) else None
    return data


def with_listed(text: str, shown: str, where: Where, value: str) -> str:
    """Return the text of a file with one more value in the list at `where`, which may be begun.

    Raises NotPossible where there is no list in brackets to which it could be added.
    """
    document = parse(text, shown)
    if where not in document.lines:
        return with_row(text, shown, where[:-1], where[-1], [value])
    node = _value_at(_mapping_at(compose(text), where[:-1]), where[-1])
    by_hand = f"{document.place(where)}: {scalar(value)} has to be added by hand"
    if not isinstance(node, SequenceNode) or not node.flow_style:
        raise NotPossible(by_hand)
    end = node.end_mark.index - 1
    before = text[:end].rstrip()
    comma = "" if not node.value else " " if before.endswith(",") else ", "
    changed = f"{before}{comma}{scalar(value)}{text[end:]}"
    wanted = deepcopy(document.data)
    rows = wanted
    for step in where:
        rows = rows[step]
    rows.append(value)
    if not _reads_as(changed, shown, wanted):
        raise NotPossible(by_hand)
    return changed


def with_value(text: str, shown: str, where: Where, value: Any) -> str:
    """Return the text of a file with another value in the place of the single one at `where`.

    Raises NotPossible where none stands there that could be replaced by itself.
    """
    document = parse(text, shown)
    node = _value_at(_mapping_at(compose(text), where[:-1]), where[-1])
    changed = f"{text[: node.start_mark.index]}{flow(value)}{text[node.end_mark.index :]}"
    wanted = deepcopy(document.data)
    rows = wanted
    for step in where[:-1]:
        rows = rows[step]
    rows[where[-1]] = value
    if not isinstance(node, ScalarNode) or not _reads_as(changed, shown, wanted):
        raise NotPossible(f"{document.place(where)}: {flow(value)} has to be put there by hand")
    return changed


def _reads_as(text: str, shown: str, wanted: Any) -> bool:
    """Return whether a changed text has just what it is to have."""
    try:
        return bool(parse(text, shown).data == wanted)
    except ConfigError:
        return False


def with_item(text: str, shown: str, where: Where, item: dict[str, Any]) -> str:
    """Return the text of a file with one more item at the end of the list at `where`.

    A list that is not there is begun, at the end of what it belongs to. Raises NotPossible where
    there can be none, or where the item cannot be put in without touching something else.
    """
    document = parse(text, shown)
    wanted = deepcopy(document.data)
    around = wanted
    for step in where[:-1]:
        around = around.get(step) if isinstance(around, dict) else None
    name = where[-1]
    if not isinstance(around, dict) or not isinstance(around.get(name, []), list | None):
        raise NotPossible(f"{shown}: {dotted(where)} has no list to which one could be added")
    around[name] = [*(around.get(name) or ()), item]
    changed = _with_item(text, _mapping_at(compose(text), where[:-1]), name, item)
    if not _reads_as(changed, shown, wanted):
        raise NotPossible(f"{document.place(where)}: the item has to be added by hand")
    return changed


def _with_item(text: str, around: MappingNode, name: str, item: dict[str, Any]) -> str:
    known = next((each for key, each in around.value if key.value == name), None)
    column = around.value[0][0].start_mark.column
    lines = _lines_of(item, known)
    if known is None:
        return _with_lines(
            text, _end_of(text, around), [f"{name}:", *(f"  {x}" for x in lines)], column
        )
    if not isinstance(known, SequenceNode) or not known.value:
        before = text[: known.start_mark.index].rstrip(" ")
        emptied = before + text[known.end_mark.index :]
        return _with_lines(emptied, len(before), lines, column + 2)
    if known.flow_style:
        end = known.end_mark.index - 1
        return f"{text[:end].rstrip()}, {flow(item)}{text[end:]}"
    return _with_lines(text, _end_of(text, known), lines, known.start_mark.column)


def _lines_of(item: dict[str, Any], beside: Node | None) -> list[str]:
    """Return the lines of an item: on one where it is plain, and the last one there is so."""
    last = beside.value[-1] if isinstance(beside, SequenceNode) and beside.value else None
    plain = not any(isinstance(value, dict | list) for value in item.values())
    on_one_line = plain and isinstance(last, MappingNode) and last.flow_style
    return [f"- {flow(item)}"] if on_one_line else list_item(block(item, LEVELS_OF_AN_ITEM))


def _with_lines(text: str, after: int, lines: list[str], column: int) -> str:
    """Return a text with lines below the one in which this place is."""
    end = text.find("\n", after)
    end = len(text) if end < 0 else end
    line_end = "\r\n" if text[:end].endswith("\r") else "\n"
    end -= len(line_end) - 1
    added = "".join(f"{line_end}{' ' * column}{line}" for line in lines)
    return f"{text[:end]}{added}{text[end:]}"


def _end_of(text: str, node: Node) -> int:
    """Return where the last value in a node ends, before what is only space and notes."""
    while isinstance(node, MappingNode | SequenceNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return len(text[: node.end_mark.index].rstrip())


def _mapping_at(node: Node | None, where: Where) -> MappingNode:
    for step in where:
        if isinstance(node, SequenceNode):
            node = node.value[step]
            continue
        assert isinstance(node, MappingNode)  # noqa: S101 - the plain data was looked through
        node = _value_at(node, step)
    assert isinstance(node, MappingNode)  # noqa: S101
    return node


def _value_at(node: MappingNode, key: Any) -> Node:
    """Return the value of a key that the mapping has. Raises NotPossible for an odd spelling."""
    words = {key} if isinstance(key, str) else {scalar(key), str(key)}
    found: Node | None = next((value for each, value in node.value if each.value in words), None)
    if found is not None:
        return found
    raise NotPossible(f"what stands below {scalar(key)} has to be changed by hand")


def _inserted(text: str, node: MappingNode, row: str) -> str:
    if node.flow_style:
        end = node.end_mark.index - 1  # before the closing bracket
        before = text[:end].rstrip()
        comma = "" if before.endswith(",") else ","
        return f"{before}{comma} {row}{text[len(before) : end]}{text[end:]}"
    return _with_lines(text, _end_of(text, node), [row], node.value[0][0].start_mark.column)
