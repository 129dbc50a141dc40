"""Where everything on the map is drawn: connections at the sides, the syncs between them.

Lengths are in the units of the drawing's `viewBox`; a template makes the SVG.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bridge.operations.sync_map import MapLine, MapPlace, SyncMap

WIDTH: Final = 960
PLACE_WIDTH: Final = 230
PLACE_HEIGHT: Final = 76
PLACE_GAP: Final = 20
HUB_WIDTH: Final = 190
HUB_HEIGHT: Final = 48
HUB_GAP: Final = 30
MARGIN: Final = 12
ARROW: Final = 9
"""An arrow's length, which a line leaves free."""


@dataclass(frozen=True, slots=True)
class DrawnPlace:
    """A connection's box."""

    place: MapPlace
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class DrawnHub:
    """A sync's box."""

    name: str
    entity: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class DrawnLine:
    """A curve from a connection to a sync; an arrow at each end to which edits travel."""

    line: MapLine
    path: str


@dataclass(frozen=True, slots=True)
class MapDrawing:
    """The whole drawing."""

    width: int
    height: int
    places: list[DrawnPlace]
    hubs: list[DrawnHub]
    lines: list[DrawnLine]


def draw(the_map: SyncMap) -> MapDrawing:
    """Lay a map out: connections alternate between the left and the right side."""
    per_side = (len(the_map.places) + 1) // 2
    height = 2 * MARGIN + max(
        _column(per_side, PLACE_HEIGHT, PLACE_GAP),
        _column(len(the_map.syncs), HUB_HEIGHT, HUB_GAP),
    )
    places = [
        DrawnPlace(
            place,
            MARGIN if number % 2 == 0 else WIDTH - MARGIN - PLACE_WIDTH,
            _top(height, len(the_map.places[number % 2 :: 2]), PLACE_HEIGHT, PLACE_GAP)
            + number // 2 * (PLACE_HEIGHT + PLACE_GAP),
        )
        for number, place in enumerate(the_map.places)
    ]
    top = _top(height, len(the_map.syncs), HUB_HEIGHT, HUB_GAP)
    hubs = [
        DrawnHub(name, entity, (WIDTH - HUB_WIDTH) // 2, top + number * (HUB_HEIGHT + HUB_GAP))
        for number, (name, entity) in enumerate(the_map.syncs)
    ]
    return MapDrawing(WIDTH, height, places, hubs, _lines(the_map, places, hubs))


def _column(many: int, height: int, gap: int) -> int:
    return max(0, many * (height + gap) - gap)


def _top(whole: int, many: int, height: int, gap: int) -> int:
    """Return where a column begins so that it stands in the middle."""
    return (whole - _column(many, height, gap)) // 2


def _lines(the_map: SyncMap, places: list[DrawnPlace], hubs: list[DrawnHub]) -> list[DrawnLine]:
    by_name = {drawn.place.name: drawn for drawn in places}
    by_sync = {hub.name: hub for hub in hubs}
    return [
        DrawnLine(line, _path(by_name[line.connection], by_sync[line.sync], _spread(the_map, line)))
        for line in the_map.lines
        if line.connection in by_name and line.sync in by_sync
    ]


def _spread(the_map: SyncMap, line: MapLine) -> tuple[int, int]:
    """Return how far from its box's middle a line begins, so that lines do not cover another."""
    of_place = [each.sync for each in the_map.lines if each.connection == line.connection]
    middle = (len(of_place) - 1) / 2
    return round((of_place.index(line.sync) - middle) * 18), 0


def _path(drawn: DrawnPlace, hub: DrawnHub, spread: tuple[int, int]) -> str:
    from_left = drawn.x < hub.x
    begin = drawn.x + PLACE_WIDTH + ARROW if from_left else drawn.x - ARROW
    end = hub.x - ARROW if from_left else hub.x + HUB_WIDTH + ARROW
    y_begin = drawn.y + PLACE_HEIGHT // 2 + spread[0]
    y_end = hub.y + HUB_HEIGHT // 2 + spread[1]
    bend = (begin + end) // 2
    return f"M {begin} {y_begin} C {bend} {y_begin}, {bend} {y_end}, {end} {y_end}"
