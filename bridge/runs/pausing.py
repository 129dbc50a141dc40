"""Which runs can be paused, why others cannot, and how one is ended for good."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from bridge.ledger import paused_runs, run_records
from bridge.ledger.database import Tx
from bridge.runs import backfill, reconcile, remapping, undo

PAUSABLE: Final = frozenset({remapping.RUN, backfill.KIND})
"""Kinds of runs that write below all else, and lose nothing by waiting."""

GO_ON: Final = frozenset({remapping.RUN})
"""Those that go through the tickets also while they are paused: that writes to the ledger alone."""

_LISTS: Final = (
    "it only reads, and a listing that waits in the middle proves nothing of what it lacks"
)
_WHY_NOT: Final[Mapping[str, str]] = {
    **dict.fromkeys((*reconcile.KINDS, reconcile.REPORT), _LISTS),
    undo.KIND: "half of what it takes back would stand, with its tickets paused",
}


def why_not(kind: str) -> str:
    """Return why a run of a kind cannot be paused; empty: it can."""
    return "" if kind in PAUSABLE else _WHY_NOT.get(kind, "it is a single call")


def stop(tx: Tx, run_id: int, now: datetime) -> int:
    """End a run: nothing of it is begun any more. What a worker has in hand may still come.

    Return how many pieces of work are dropped.
    """
    dropped = paused_runs.drop(tx, run_id)
    run_records.stop(tx, run_id, now)
    return dropped
