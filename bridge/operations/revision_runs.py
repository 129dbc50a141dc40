"""The runs that bring the tickets to a revision of the mappings, as far as they are."""

from __future__ import annotations

from typing import Final

from bridge.ledger import run_records
from bridge.operations import mapping_rollback, run_states
from bridge.operations.desk import Desk
from bridge.operations.run_states import RunState
from bridge.runs import remapping

MAX_RUNS: Final = 1_000
"""Runs of mappings that are looked through, the newest."""


def of_revision(desk: Desk, number: int) -> list[RunState]:
    """Return the runs that carry out a revision, the newest first."""
    with desk.ledger.read() as tx:
        found = run_records.recent(tx, MAX_RUNS, kinds=[remapping.RUN])
        ours = [run for run in found if run.figures.get("mapping_revision") == number]
        return run_states.of(tx, ours, desk.now())


def since(desk: Desk, number: int) -> list[RunState]:
    """Return the runs that carried out what was published since a revision, the newest first."""
    found = mapping_rollback.runs_since(desk, number)
    with desk.ledger.read() as tx:
        return run_states.of(tx, found, desk.now())
