"""Runs that fail just now, as an operator is told of them."""

from __future__ import annotations

from typing import Final

from bridge.core.model.outcome_codes import Code
from bridge.core.model.outcome_meanings import MEANINGS
from bridge.ledger import failing_runs
from bridge.ledger.database import Tx
from bridge.ledger.failing_runs import FailingRun
from bridge.operations.desk import Desk
from bridge.runs import reconcile, upkeep

DUTIES: Final = (upkeep.KIND, upkeep.START)
"""Kinds of what is no run, and is stored like one when it fails."""
RETRIED: Final = (*reconcile.KINDS, "figures", *DUTIES)
"""Kinds of runs that are begun again by themselves."""


def current(tx: Tx, desk: Desk) -> list[FailingRun]:
    """Return what fails of all that the present configuration still asks for."""
    return [run for run in failing_runs.by_run(tx).values() if _is_wanted(desk, run)]


def _is_wanted(desk: Desk, run: FailingRun) -> bool:
    if run.kind in DUTIES:
        return True
    if run.connection not in desk.config.connections:
        return False
    mirrored = reconcile.entities(desk.context, run.connection, "full")
    return run.kind not in reconcile.KINDS or run.entity in mirrored


def what(run: FailingRun) -> str:
    """Return what fails, how often in a row, and why: `the poll of desk tickets fails …`."""
    often = f" ({run.ended} in a row)" if run.ended > 1 else ""
    if run.kind in DUTIES:
        return f"the {run.name} of {run.entity} fails{often}: {run.why}"
    subject = " ".join(part for part in (run.connection, run.entity and f"{run.entity}s") if part)
    return f"the {run.name} of {subject} fails{often}: {run.why}"


def code(run: FailingRun) -> Code:
    """Return the outcome code of what fails."""
    return Code.PROCESS_DOWN if run.kind == upkeep.START else Code.RUN_FAILS


def what_to_do(run: FailingRun) -> str:
    """Return what an operator can do about it."""
    if run.kind == upkeep.START:
        return MEANINGS[Code.PROCESS_DOWN].do
    if run.kind == upkeep.KIND:
        return "it is tried again by itself, within an hour; report what the clock's log says of it"
    if run.kind in RETRIED:
        return (
            "it is tried again by itself, at the latest within an hour; mend what the reason "
            f"names, then `bridge reconcile {run.connection}` tries at once"
        )
    if run.kind == "backfill":
        return "mend what the reason names; then `bridge backfill SYNC` goes on with what is left"
    return "mend what the error names; then start it again"
