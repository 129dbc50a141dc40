"""Writes plain data as YAML that is read as the same: a value on a line, and lines of a mapping."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:[ .-][A-Za-z0-9_]+)*")
"""Text that needs no quotes, as long as it is read as text."""
_WORDS_OF_YAML: Final = frozenset({"null", "true", "false"})


def scalar(value: Any) -> str:
    """Return a single value on one line. What is not printed is written as its number."""
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS_OF_YAML:
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() else _escaped(char) for char in quoted)


def _escaped(char: str) -> str:
    number = ord(char)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def flow(value: Any) -> str:
    """Return a value on one line, with what it is made of in brackets."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{scalar(key)}: {flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow, value))}]"
    return scalar(value)


def block(value: Mapping[str, Any], levels: int) -> list[str]:
    """Return a mapping as lines, with so many levels of mappings on lines of their own."""
    lines: list[str] = []
    for key, item in value.items():
        if levels > 1 and isinstance(item, Mapping) and item:
            lines += [f"{scalar(key)}:", *(f"  {line}" for line in block(item, levels - 1))]
        else:
            lines.append(f"{scalar(key)}: {flow(item)}")
    return lines


def list_item(lines: list[str]) -> list[str]:
    """Return the lines of a mapping as those of one item of a list."""
    return [f"{'- ' if number == 0 else '  '}{line}" for number, line in enumerate(lines)]
