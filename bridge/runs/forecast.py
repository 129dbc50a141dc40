"""The cost of an import, as far as the ledger can tell before anything is listed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from bridge.core.model.lanes import SHARES
from bridge.core.model.syncs import Sync
from bridge.engine.context import Context
from bridge.ledger import links, run_records
from bridge.ledger.database import Tx
from bridge.ledger.run_records import RunRow
from bridge.runs import backfill

KINDS_THAT_LIST_ALL: Final = (backfill.KIND, "full")


@dataclass(frozen=True, slots=True)
class ImportCost:
    """What an import will ask of one connection."""

    connection: str
    records: int | None
    """In the last listing that came to its end; None: never listed, and `calls` lacks them."""
    creates: int
    calls: int
    seconds: float
    """By the rates declared for the connection; 0 when none are."""


def forecast(tx: Tx, context: Context, sync: Sync) -> list[ImportCost]:
    """Return what every member will be asked: pages, a read of each new record, creates.

    A record that matches one of the other side is joined and not created, so creates are at most
    these; what has to be corrected after a create is not counted.
    """
    creatable = {name for name in sync.members if context.makes(sync, name)}
    return [_cost(tx, context, sync, name, creatable) for name in sync.members]


def _cost(tx: Tx, context: Context, sync: Sync, name: str, creatable: set[str]) -> ImportCost:
    last = _last_listing(tx, name, sync.entity)
    calls = int(last.figures.get("pages", 1)) if last is not None else 1
    # Each record that some other member lacks is read, several a call.
    lacking = [links.count_lacking(tx, sync.name, other, on=name) for other in creatable - {name}]
    calls += math.ceil(max(lacking, default=0) / context.capabilities[name][sync.entity].read_batch)
    creates = links.count_lacking(tx, sync.name, name) if name in creatable else 0
    # With match rules each may be looked for before it is created.
    calls += creates * (2 if sync.match else 1)
    records = last.seen if last is not None else None
    return ImportCost(
        name, records, creates, calls, seconds_for_calls(context, name, calls, "backfill")
    )


def _last_listing(tx: Tx, connection: str, entity: str) -> RunRow | None:
    """Return the newest run that listed everything and came to its end."""
    runs = [
        run_records.last_whole(tx, kind=kind, connection=connection, entity=entity)
        for kind in KINDS_THAT_LIST_ALL
    ]
    return max((run for run in runs if run is not None), key=lambda run: run.id, default=None)


def seconds_for_calls(context: Context, name: str, calls: int, lane: str) -> float:
    """Return how long so many calls of a lane take at the connection's declared rates."""
    rates, share = context.connections[name].rates, SHARES[lane]
    return max((calls * rate.seconds / (rate.calls * share) for rate in rates), default=0.0)
