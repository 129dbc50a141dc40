"""What differs between two sets of files, file by file and line by line."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MAX_LINES: Final = 5000
"""A file with more lines is only said to differ."""


@dataclass(frozen=True, slots=True)
class FileDifference:
    """One file that is not the same. Its fields are the keys of `bridge mappings diff --json`."""

    file: str
    change: str
    """`added`, `removed` or `changed`."""
    lines: list[str]
    """Those that differ with a few around them, as `diff -u` marks them."""


def differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[FileDifference]:
    """Return the files that differ, in the order of their names."""
    return [
        FileDifference(name, _change(name, old, new), _lines(old.get(name, ""), new.get(name, "")))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _change(name: str, old: Mapping[str, str], new: Mapping[str, str]) -> str:
    if name not in old:
        return "added"
    return "changed" if name in new else "removed"


def _lines(old: str, new: str) -> list[str]:
    before, after = old.splitlines(), new.splitlines()
    if max(len(before), len(after)) > MAX_LINES:
        return ["(too many lines to compare)"]
    found = list(difflib.unified_diff(before, after, lineterm="", n=2))[2:]
    return found or ["(only in the ends of its lines)"]
