"""A ticket's timeline in words: what happened, and nothing that only a program would ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bridge.cli.value_text import short_value
from bridge.observability.visible_text import visible

UNSAID: Final = frozenset({"rev", "revs", "verb", "code", "sides", "raw", "why", "winner", "left"})
"""Details that are left to `--json`, or have a place of their own in the line."""
UNNAMED: Final = frozenset({"ref", "value", "sent", "mine", "theirs"})
"""Details that need no name before them."""


def detail_text(detail: Mapping[str, Any], code: str) -> str:
    """Return the details of an entry as text for one line; its reason stands last, and whole."""
    parts = [
        text if name in UNNAMED else f"{name} {text}"
        for name, value in detail.items()
        if name not in UNSAID and (text := _value_text(value))
    ]
    raw = detail.get("raw")
    if raw is not None and raw != detail.get("value", raw):
        parts.append(f"(there: {short_value(raw)})")
    if winner := detail.get("winner"):
        parts.append(f"{short_value(winner)} stands")
    if why := detail.get("why"):
        parts.append(visible(str(why)))
    return "  ".join(parts) + (f"  [{code}]" if code else "")


def _value_text(value: Any) -> str:
    """Return a value in words; empty where there is nothing to say."""
    if value is None or value in ("", [], {}):
        return ""
    if not isinstance(value, Mapping):
        return short_value(value)
    if "by" in value:  # one of two that were laid over one another
        return f"{short_value(value['by'])}: {short_value(value.get('value'))}"
    return ", ".join(f"{name} {short_value(each)}" for name, each in value.items())
