"""The records that the sandboxes begin with: tickets, and their customers as visitors elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.sandbox.registry import sandbox_class
from bridge.supervisor.sandbox_client import SandboxClient


def populate(
    sandboxes: Mapping[str, SandboxClient], counts: Mapping[str, int], seed: int
) -> list[tuple[str, str]]:
    """Make so many tickets on each connection, and let the customers of some visit.

    Returns the connection and the id of each ticket.
    """
    tickets: list[tuple[str, str]] = []
    drafts_of: dict[str, dict[str, int]] = {}
    for number, (name, count) in enumerate(counts.items()):
        drafts = {"n": count, "seed": seed + number}
        drafts_of[sandboxes[name].system] = drafts
        if count:
            ids = sandboxes[name].post("populate", **drafts)
            tickets += [(name, str(remote_id)) for remote_id in ids]
    for sandbox in sandboxes.values():
        visitors = drafts_of.get(sandbox_class(sandbox.system).CUSTOMERS_OF)
        if visitors is not None:
            sandbox.post("populate", **visitors)  # the same seed drafts the same customers
    return tickets


def ticket_origins(sandboxes: Mapping[str, SandboxClient]) -> list[str]:
    """Return the connections on which tickets begin."""
    return [
        name
        for name, sandbox in sandboxes.items()
        if "status" in sandbox_class(sandbox.system).CHOICES
    ]
