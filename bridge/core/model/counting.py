"""How many of something, in words."""

from __future__ import annotations

from collections.abc import Mapping


def counted(number: int, one: str, many: str = "") -> str:
    """Return `1 ticket`, `2 tickets`; `many` where that is not `one` with an s."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def counted_each(numbers: Mapping[str, int], none: str) -> str:
    """Return `2 tickets and 1 customer` of the numbers by entity; `none` where there are none."""
    return " and ".join(counted(number, name) for name, number in numbers.items()) or none
