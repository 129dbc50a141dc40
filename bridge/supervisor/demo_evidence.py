"""The evidence of a demo, as rows for the checker of `bridge.verify.report`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bridge.ledger import attempts, timeline
from bridge.operations.evidence import all_links, facts
from bridge.supervisor.sandbox_client import SandboxClient
from bridge.verify.report import VerifyInput
from bridge.wiring import Bridge


def collect(
    bridge: Bridge, sandboxes: Mapping[str, SandboxClient], seed: int, seconds: float
) -> VerifyInput:
    """Return the sandboxes' journals and records, and the facts that the ledger has."""
    journal = [row for sandbox in sandboxes.values() for row in sandbox.get("journal")]
    finals = [
        {"connection": name, "record": record}
        for name, sandbox in sandboxes.items()
        for record in sandbox.get("tickets")
    ]
    with bridge.ledger.read() as tx:
        ledger_facts = facts(bridge.context, tx)
    descriptions = [sandbox.get("description") for sandbox in sandboxes.values()]
    ledger_facts.append({"kind": "run", "seed": seed, "seconds": round(seconds, 3)})
    return VerifyInput(journal, finals, [*descriptions, *ledger_facts])


def timelines(bridge: Bridge) -> Iterator[dict[str, Any]]:
    """Yield each ticket's history in the ledger: no evidence, but it says why a ticket ended so."""
    with bridge.ledger.read() as tx:
        for link in all_links(bridge.context, tx):
            ticket = {
                "link": link.id,
                "refs": {name: side.remote_id for name, side in link.sides.items()},
            }
            for entry in timeline.timeline(tx, link.id):
                yield ticket | {
                    "at": entry.at.isoformat(),
                    "kind": entry.kind,
                    "connection": entry.connection,
                    "field": entry.field,
                    "detail": entry.detail,
                }
            for row in attempts.history(tx, link.id):
                yield ticket | {"attempt": {name: str(value) for name, value in row.items()}}
