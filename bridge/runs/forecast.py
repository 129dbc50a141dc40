"""What an import will cost, as far as the ledger can tell before anything is listed: calls and time, by connection."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from bridge.core.model.capabilities import Support
from bridge.core.model.lanes import SHARES
from bridge.core.model.syncs import Sync
from bridge.engine.context import Context
from bridge.ledger import links, run_records
from bridge.ledger.database import Tx
from bridge.runs import backfill

WHOLE = (backfill.KIND, "full")
"""Kinds of run that list everything."""


@dataclass(frozen=True, slots=True)
class ImportCost:
    """What an import will ask of one connection."""

    connection: str
    records: int | None
    """In the last listing that came to its end; None: it was never listed, and what it holds is not in `calls`."""
    creates: int
    calls: int
    seconds: float
    """By the rates declared for the connection; 0 when none are."""


def forecast(tx: Tx, context: Context, sync: Sync) -> list[ImportCost]:
    """Count what every member has to be asked: pages, a read of each record not mirrored everywhere, creates.

    A record that matches one of the other side is joined and not made, so creates are at most
    these; what has to be corrected after a create is not counted.
    """
    calls: Counter[str] = Counter()
    creates = dict.fromkeys(sync.members, 0)
    listed: dict[str, int | None] = {}
    makeable = {
        name for name, each in sync.members.items() if _makes(context, sync, name, each.create)
    }
    for name in sync.members:
        found = _last_listing(tx, name, sync.entity)
        listed[name] = found.seen if found is not None else None
        calls[name] += int(found.figures.get("pages", 1)) if found is not None else 1
        lacking = [
            links.count_lacking(tx, sync.name, other, on=name) for other in makeable - {name}
        ]
        calls[name] += math.ceil(
            max(lacking, default=0) / context.capabilities[name][sync.entity].read_batch
        )
    for name in makeable:
        creates[name] = links.count_lacking(tx, sync.name, name)
        calls[name] += creates[name] * (
            2 if sync.match else 1
        )  # with match rules each is looked for first
    return [
        ImportCost(
            name, listed[name], creates[name], calls[name], _time(context, name, calls[name])
        )
        for name in listed
    ]


def _makes(context: Context, sync: Sync, name: str, wanted: Support) -> bool:
    return Support.NO not in (wanted, context.capabilities[name][sync.entity].creates)


def _last_listing(tx: Tx, connection: str, entity: str) -> run_records.RunRow | None:
    found = [
        run_records.last_whole(tx, kind=kind, connection=connection, entity=entity)
        for kind in WHOLE
    ]
    return max((run for run in found if run is not None), key=lambda run: int(run.id), default=None)


def _time(context: Context, name: str, calls: int) -> float:
    rates = context.connections[name].rates
    return max(
        (calls * rate.seconds / (rate.calls * SHARES["backfill"]) for rate in rates), default=0.0
    )
