"""The shape of a body of JSON: names, kinds and lengths, and none of its values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

HIDDEN_NAME: Final = "•••"
MAX_PLACES: Final = 60
"""Places of one body that are noted; the rest is left out, and that is said."""
MAX_DEPTH: Final = 6
MORE: Final = "…"
"""The place under which it is said that there was more."""
MAX_NAMES: Final = 5_000
"""Names that are remembered as looked at."""
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]{0,39}")
_LONG_NUMBER: Final = re.compile(r"[0-9]{6}")
_KINDS: Final[Mapping[type, str]] = {
    int: "number",
    float: "number",
    bool: "true or false",
    type(None): "null",
}


class BodyShapes:
    """Tells shapes. `is_safe`: whether a name holds nothing that may not be shown."""

    def __init__(self, is_safe: Callable[[str], bool]) -> None:
        self._is_safe = is_safe
        self._names: dict[object, str] = {}

    def of(self, body: Any) -> dict[str, str]:
        """Return where each value of a body stands -> its kind and length.

        Of a list that is its first item. A name that is none (an address, a key, words of
        somebody's) is hidden.
        """
        if body is None:
            return {}
        found: dict[str, str] = {}
        self._add(found, "", body, MAX_DEPTH)
        return found

    def _add(self, found: dict[str, str], place: str, value: Any, depth: int) -> None:
        kind = type(value)
        if kind is dict:
            self._add_row(found, place, value, depth)
        elif kind is list or kind is tuple:
            found[place] = f"list of {len(value)}"
            if value and depth and len(found) < MAX_PLACES:
                self._add(found, f"{place}[0]", value[0], depth - 1)
        else:
            found[place] = f"text of {len(value)}" if kind is str else _KINDS.get(kind, "a value")

    def _add_row(
        self, found: dict[str, str], place: str, row: Mapping[Any, Any], depth: int
    ) -> None:
        if not depth or not row:
            found[place] = f"row of {len(row)}"
            return
        before, names = (f"{place}." if place else ""), self._names
        for name, value in row.items():
            if len(found) >= MAX_PLACES:
                found[MORE] = "more"
                return
            below = before + (names.get(name) or self._name(name))
            if type(value) is str:  # as most are, so that no call is made for each
                found[below] = f"text of {len(value)}"
            else:
                self._add(found, below, value, depth - 1)

    def _name(self, name: object) -> str:
        shown = name if isinstance(name, str) and self._may_be_shown(name) else HIDDEN_NAME
        if len(self._names) < MAX_NAMES:
            self._names[name] = shown
        return shown

    def _may_be_shown(self, name: str) -> bool:
        is_plain = _PLAIN_NAME.fullmatch(name) and not _LONG_NUMBER.search(name)
        return bool(is_plain) and self._is_safe(name)
