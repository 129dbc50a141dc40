"""Who is in the sandboxes to begin with: tickets where tickets begin, and their customers where people visit."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.sandbox import population
from bridge.supervisor.sandbox_client import SandboxClient


def fill(
    sandboxes: Mapping[str, SandboxClient], counts: Mapping[str, int], seed: int
) -> list[tuple[str, str]]:
    """Make so many tickets on each connection, and have the customers of some visit; gives (connection, id) of all."""
    made: list[tuple[str, str]] = []
    drafted: dict[str, dict[str, int]] = {}
    for number, (name, count) in enumerate(counts.items()):
        drafted[sandboxes[name].system] = {"n": count, "seed": seed + number}
        if count:
            made += [
                (name, str(i))
                for i in sandboxes[name].post("populate", n=count, seed=seed + number)
            ]
    for sandbox in sandboxes.values():
        visited = drafted.get(population.VISITED.get(sandbox.system, ""))
        if visited is not None:
            sandbox.post("populate", **visited)
    return made


def origins(sandboxes: Mapping[str, SandboxClient]) -> list[str]:
    """Give the connections on which tickets begin."""
    return [name for name, sandbox in sandboxes.items() if sandbox.system in population.STATUS]
