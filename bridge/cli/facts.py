"""What a demo's run has to say for itself, as rows for the checker of `bridge.sandbox.verify`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from bridge.cli.sandbox import Control
from bridge.core.capabilities import Support
from bridge.core.state import Link
from bridge.ledger import attempts, conflicts, journal, links, probed
from bridge.ledger.session import Tx
from bridge.sandbox.verify import VerifyInput
from bridge.wiring import Engine

_PAGE: Final = 500


def collect(engine: Engine, controls: dict[str, Control], seed: int, seconds: float) -> VerifyInput:
    """Gather what the verdict rests on: the sandboxes' journals and records, and the ledger's own account."""
    story = [row for control in controls.values() for row in control.get("journal")]
    finals = [
        {"connection": name, "record": record}
        for name, control in controls.items()
        for record in control.get("tickets")
    ]
    with engine.ledger.read() as tx:
        facts = [*connections(engine, tx), *tickets(engine, tx), *disputes(tx)]
    facts.append({"kind": "run", "seed": seed, "seconds": round(seconds, 3)})
    return VerifyInput(story, finals, facts)


def connections(engine: Engine, tx: Tx) -> Iterator[dict[str, Any]]:
    """Give a row for each account: whether counterparts are created there."""
    for name, found in engine.config.connections.items():
        creates = False
        for sync in engine.config.syncs.values():
            member = sync.members.get(name)
            can = engine.context.capabilities[name][sync.entity].creates
            if member is not None and member.create is not Support.NO and can is not Support.NO:
                creates = probed.all_(tx, name).get("create", True)
        yield {"kind": "connection", "name": name, "system": found.system, "creates": creates}


def all_links(tx: Tx) -> Iterator[Link]:
    """Give every link, in pages."""
    after = ""
    while ids := links.ids(tx, after, _PAGE):
        yield from links.load(tx, ids).values()
        after = ids[-1]


def tickets(engine: Engine, tx: Tx) -> Iterator[dict[str, Any]]:
    """Give a row for each link, and one for each field that a side is declared unable to hold."""
    for link in all_links(tx):
        yield {"kind": "link", "refs": {name: side.remote_id for name, side in link.sides.items()}}
        for name, side in link.sides.items():
            ref = {"connection": name, "id": side.remote_id}
            if not side.in_scope:
                yield {"kind": "out_of_scope", **ref}
            for field, entry in side.fields.items():
                mapped = engine.config.maps[name][link.entity].fields.get(field)
                if entry.decided is not None and entry.decided_why and mapped is not None:
                    yield {"kind": "not_carried", "field": field, **ref, "why": entry.decided_why}


def timelines(engine: Engine) -> Iterator[dict[str, Any]]:
    """Give what the ledger says happened to each ticket: not for the judge, but for whoever asks why it ended so."""
    with engine.ledger.read() as tx:
        for link in all_links(tx):
            refs = {name: side.remote_id for name, side in link.sides.items()}
            for line in journal.timeline(tx, link.id):
                told = {
                    "at": line.at.isoformat(),
                    "kind": line.kind,
                    "connection": line.connection,
                    "field": line.field,
                }
                yield {"link": link.id, "refs": refs} | told | {"detail": line.detail}
            for row in attempts.history(tx, link.id):
                yield {"link": link.id, "refs": refs, "attempt": {name: str(value) for name, value in row.items()}}


def disputes(tx: Tx) -> Iterator[dict[str, Any]]:
    """Give a row for each recorded conflict, with every value that was in it."""
    sides = {
        link.id: {"connection": name, "id": side.remote_id}
        for link in all_links(tx)
        for name, side in list(link.sides.items())[:1]
    }
    for row in conflicts.export(tx):
        detail = row["detail"]
        values = [
            side.get(key) for side in (detail.get("mine"), detail.get("theirs")) if side for key in ("value", "raw")
        ]
        values += list((detail.get("candidates") or {}).values())
        values += [detail[key] for key in ("sent", "before") if key in detail]
        yield {
            "kind": "conflict",
            "field": row["field"],
            "open": row["closed_at"] is None,
            "values": values,
            **sides.get(row["link_id"], {"connection": "", "id": ""}),
        }
