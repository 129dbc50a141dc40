"""What a demo's run has to say for itself, as rows for the checker of `bridge.verify.report`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bridge.ledger import attempts, timeline
from bridge.operations.evidence import all_links, facts
from bridge.supervisor.sandbox_client import SandboxClient
from bridge.verify.report import VerifyInput
from bridge.wiring import Engine


def collect(
    engine: Engine, sandboxes: dict[str, SandboxClient], seed: int, seconds: float
) -> VerifyInput:
    """Gather what the verdict rests on: the sandboxes' journals and records, and the ledger's own account."""
    story = [row for sandbox in sandboxes.values() for row in sandbox.get("journal")]
    finals = [
        {"connection": name, "record": record}
        for name, sandbox in sandboxes.items()
        for record in sandbox.get("tickets")
    ]
    with engine.ledger.read() as tx:
        told = facts(engine.context, tx)
    told.append({"kind": "run", "seed": seed, "seconds": round(seconds, 3)})
    return VerifyInput(story, finals, told)


def timelines(engine: Engine) -> Iterator[dict[str, Any]]:
    """Give what the ledger says happened to each ticket: not for the judge, but for whoever asks why it ended so."""
    with engine.ledger.read() as tx:
        for link in all_links(tx):
            refs = {name: side.remote_id for name, side in link.sides.items()}
            for line in timeline.timeline(tx, link.id):
                told = {
                    "at": line.at.isoformat(),
                    "kind": line.kind,
                    "connection": line.connection,
                    "field": line.field,
                }
                yield {"link": link.id, "refs": refs} | told | {"detail": line.detail}
            for row in attempts.history(tx, link.id):
                yield {
                    "link": link.id,
                    "refs": refs,
                    "attempt": {name: str(value) for name, value in row.items()},
                }
