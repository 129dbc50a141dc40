"""Adds a row to a mapping of a YAML file, and leaves every other byte as it is."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from typing import Any, Final

from yaml.nodes import MappingNode, Node

from bridge.config.yaml_reader import Where, compose, dotted, parse
from bridge.errors import NotPossible

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:[ -][A-Za-z0-9_]+)*")
"""Text that needs no quotes, as long as it is read as text."""
_WORDS_OF_YAML: Final = frozenset({"null", "true", "false"})


def with_row(text: str, shown: str, where: Where, key: Any, value: Any) -> str:
    """Return the text of a file with one more row in the mapping at `where`.

    `shown` is the file's name for messages. Raises NotPossible where there is no mapping, where the
    key stands in it already or can be none, or where the row cannot be put in without touching
    something else.
    """
    if isinstance(key, list | dict):
        raise NotPossible(f"{shown}: a list or an object can be in no table")
    document = parse(text, shown)
    wanted = deepcopy(document.data)
    rows = wanted
    for step in where:
        rows = rows.get(step) if isinstance(rows, dict) else None
    if not isinstance(rows, dict) or not rows:
        raise NotPossible(f"{shown}: {dotted(where)} has no rows to which one could be added")
    if key in rows:
        line = document.lines[*where, key]
        raise NotPossible(f"{shown}:{line}: {dotted((*where, key))} stands there already")
    rows[key] = value
    changed = _inserted(
        text, _mapping_at(compose(text), where), f"{_scalar(key)}: {_scalar(value)}"
    )
    if parse(changed, shown).data != wanted:
        line = document.lines[where]
        raise NotPossible(f"{shown}:{line}: the row has to be added by hand")
    return changed


def _mapping_at(node: Node | None, where: Where) -> MappingNode:
    for step in where:
        assert isinstance(node, MappingNode)  # noqa: S101 - the plain data was looked through
        node = next(value for key, value in node.value if key.value == step)
    assert isinstance(node, MappingNode)  # noqa: S101
    return node


def _inserted(text: str, node: MappingNode, row: str) -> str:
    if node.flow_style:
        end = node.end_mark.index - 1  # before the closing bracket
        before = text[:end].rstrip()
        comma = "" if before.endswith(",") else ","
        return f"{before}{comma} {row}{text[len(before) : end]}{text[end:]}"
    last = node.value[-1][1]
    end = text.find("\n", last.end_mark.index)
    end = len(text) if end < 0 else end
    line_end = "\r\n" if text[:end].endswith("\r") else "\n"
    end -= len(line_end) - 1
    indent = " " * node.value[0][0].start_mark.column
    return f"{text[:end]}{line_end}{indent}{row}{text[end:]}"


def _scalar(value: Any) -> str:
    """Return a value as YAML that is read as the same."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS_OF_YAML:
        return value
    return json.dumps(value, ensure_ascii=False)
