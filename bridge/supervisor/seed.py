"""Who is in the sandboxes to begin with: tickets where tickets begin, and their customers where people visit."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.cli.sandbox import Control
from bridge.sandbox import population


def fill(
    controls: Mapping[str, Control], counts: Mapping[str, int], seed: int
) -> list[tuple[str, str]]:
    """Make so many tickets on each connection, and have the customers of some visit; gives (connection, id) of all."""
    made: list[tuple[str, str]] = []
    drafted: dict[str, dict[str, int]] = {}
    for number, (name, count) in enumerate(counts.items()):
        drafted[controls[name].system] = {"n": count, "seed": seed + number}
        if count:
            made += [
                (name, str(i)) for i in controls[name].post("populate", n=count, seed=seed + number)
            ]
    for control in controls.values():
        visited = drafted.get(population.VISITED.get(control.system, ""))
        if visited is not None:
            control.post("populate", **visited)
    return made


def origins(controls: Mapping[str, Control]) -> list[str]:
    """Give the connections on which tickets begin."""
    return [name for name, control in controls.items() if control.system in population.STATUS]
