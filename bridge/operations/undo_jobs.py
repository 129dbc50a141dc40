"""Going back to an older revision with what was written since, beside the requests of the pages.

Workers take back what they wrote, which takes as long as the writing did. So it is a job of this
process, one at a time; where the process ends before it is through, it is begun once more.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import partial

from bridge.errors import BridgeError, Busy, NotPossible
from bridge.ledger.run_writes import LeftToDo
from bridge.operations import mapping_edits, mapping_folders, mapping_rollback, revisions, undos
from bridge.operations.desk import Desk
from bridge.operations.effect_jobs import beside
from bridge.operations.mapping_rollback import TakenBack
from bridge.operations.mapping_runs import CarryingOut

log = logging.getLogger(__name__)

WorkOff = Callable[[Desk, int], LeftToDo]
"""Sees to it that a run is through, and says what is left of it."""


class UndoStage(StrEnum):
    """What a job is at."""

    CHECKING = "checking"
    TAKING_BACK = "taking back"
    PUBLISHING = "publishing"
    DONE = "done"
    FAILED = "failed"


@dataclass(slots=True)
class UndoJob:
    """The way back to one revision."""

    number: int
    by: str
    began_at: datetime
    stage: UndoStage = UndoStage.CHECKING
    runs: int = 0
    """Runs that are taken back."""
    taken: list[TakenBack] = field(default_factory=list)
    revision: int = 0
    """The revision that was published; 0: none (yet)."""
    paused: int = 0
    """Tickets that stay paused, for somebody had them in hand."""
    problem: str = ""

    @property
    def is_under_way(self) -> bool:
        """Return whether more is to be expected."""
        return self.stage not in (UndoStage.DONE, UndoStage.FAILED)

    @property
    def tickets(self) -> int:
        """Return of how many tickets something was taken back."""
        return len(mapping_rollback.tickets_of(self.taken))

    def run(self, desk: Desk, work_off: WorkOff, *, accept: bool, override_unsafe: bool) -> None:
        """Do it; whatever comes of it, the job says so. Nothing is raised."""
        try:
            self._run(desk, work_off, accept=accept, override_unsafe=override_unsafe)
            self.stage = UndoStage.DONE
        except BridgeError as error:
            self.stage, self.problem = UndoStage.FAILED, str(error)
        except Exception:
            log.exception("going back to an older revision failed")
            self.stage, self.problem = UndoStage.FAILED, "it failed; the log says why"

    def _run(self, desk: Desk, work_off: WorkOff, *, accept: bool, override_unsafe: bool) -> None:
        revisions.refuse_files(desk)
        files = revisions.get(desk, self.number).files
        made = revisions.draft(desk, files, accept=accept)
        with revisions.planned(desk, made) as plan:
            unsafe = plan.summary.unsafe if plan is not None else []
        if unsafe and not override_unsafe:
            raise NotPossible(f"it is more than the guard lets through: {'; '.join(unsafe)}")
        in_step = not mapping_folders.notice(desk.config)
        self.stage = UndoStage.TAKING_BACK
        self.runs = len(mapping_rollback.runs_since(desk, self.number))
        through = partial(work_off, desk)
        for taken in mapping_rollback.take_back_since(desk, self.number, through):
            self.taken.append(taken)
        self.stage = UndoStage.PUBLISHING
        # Made anew, for most of what it would have written stands there again.
        made = revisions.draft(desk, files, accept=accept)
        if made.differences:
            with revisions.planned(desk, made) as plan:
                carrying_out = CarryingOut(plan, override_unsafe=True) if plan else None
                revision, _ = revisions.publish(
                    desk,
                    made,
                    note=f"back to revision {self.number}",
                    accept=accept,
                    carrying_out=carrying_out,
                    act=mapping_rollback.ACT,
                )
            self.revision = revision.number
            mapping_edits.keep_in_step(desk, revision, in_step=in_step)
        self.paused = mapping_rollback.let_go_on(desk, self.taken)


@dataclass(slots=True)
class UndoJobs:
    """The latest way back of this process."""

    start: Callable[[Callable[[], None]], None] = beside
    work_off: WorkOff = undos.wait_for
    job: UndoJob | None = None
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, desk: Desk, number: int, *, accept: bool, override_unsafe: bool) -> UndoJob:
        """Begin to go back to a revision, and to take back what was written since.

        Raises Busy while another way back goes on, UnknownName without such a revision, NotPossible
        in a home that keeps its mappings in files.
        """
        revisions.refuse_files(desk)
        revisions.get(desk, number)
        with self._turn:
            if self.job is not None and self.job.is_under_way:
                raise Busy(f"{self.job.by} goes back to revision {self.job.number} just now")
            job = self.job = UndoJob(number, desk.actor, desk.now())

        def run() -> None:
            job.run(desk, self.work_off, accept=accept, override_unsafe=override_unsafe)

        self.start(run)
        return job
