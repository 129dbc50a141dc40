"""Values and identifiers of records, short enough for a line and safe to print."""

from __future__ import annotations

import json
from typing import Any, Final

from bridge.observability.visible_text import visible
from bridge.operations.times import moment_of

VALUE_WIDTH: Final = 48
ID_WIDTH: Final = 13
"""Longer identifiers are cut to ID_START characters: enough to tell records apart on a screen."""
ID_START: Final = 8


def short_value(value: Any) -> str:
    """Return a value as text for one line, with nothing in it that a terminal would obey."""
    if value is None:
        return "—"
    plain = visible(_as_text(value))
    return plain if len(plain) <= VALUE_WIDTH else plain[: VALUE_WIDTH - 1] + "…"


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(str(element) for element in value) or "(none)"
    if isinstance(value, dict):  # a person, as most vendors show one
        name = value.get("email") or value.get("id")
        return str(name or json.dumps(value, ensure_ascii=False))
    return moment_of(value) or str(value)


def short_id(remote_id: str) -> str:
    """Return enough of an identifier to tell records apart."""
    return remote_id if len(remote_id) <= ID_WIDTH else remote_id[:ID_START] + "…"
