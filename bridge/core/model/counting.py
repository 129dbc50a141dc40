"""How many of something, in words."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """Return `1 ticket`, `2 tickets`; `many` where that is not `one` with an s."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"
