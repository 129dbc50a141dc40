"""Small pictures of numbers over time: where each bar stands. A template makes the SVG."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

HEIGHT: Final = 28
BAR: Final = 9
GAP: Final = 3
LEAST: Final = 2
"""A bar of what is not nothing is seen, however small."""


@dataclass(frozen=True, slots=True)
class SparkBar:
    """One bar, a part of which stands out."""

    x: int
    whole: int
    """Height."""
    part: int
    """Height of what stands out, from the foot of the bar."""
    words: str


@dataclass(frozen=True, slots=True)
class SparkDrawing:
    """The whole picture."""

    width: int
    bars: list[SparkBar]
    words: str
    """What the picture says, for who cannot see it."""


def draw(values: Iterable[tuple[str, int, int]], words: str) -> SparkDrawing:
    """Draw a bar for each name, whole and part; the highest one fills the height."""
    given = list(values)
    top = max((whole for _name, whole, _part in given), default=0)
    bars = [
        SparkBar(number * (BAR + GAP), _height(whole, top), _height(part, top), name)
        for number, (name, whole, part) in enumerate(given)
    ]
    return SparkDrawing(max(1, len(bars) * (BAR + GAP) - GAP), bars, words)


def _height(value: int, top: int) -> int:
    return max(LEAST, round(value / top * HEIGHT)) if value else 0
