"""What drafts would do, found out beside the requests of those who look, and kept for publishing.

A look at a large ledger takes a minute and more. So it is a job of this process: begun by one
request, watched by others, and its plan is kept for an hour. Just that plan is published, or
nothing is.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from bridge.errors import BridgeError, Busy, ConfigError, NotPossible
from bridge.ledger import mapping_revisions
from bridge.operations import drafts, mapping_edits, mapping_folders, mapping_runs, revisions
from bridge.operations.desk import Desk
from bridge.operations.drafts import MappingDraft
from bridge.operations.mapping_runs import CarryingOut, EffectPlan
from bridge.operations.revisions import RevisionDraft

log = logging.getLogger(__name__)

KEPT: Final = timedelta(hours=1)
MOST: Final = 8
"""Jobs that are kept at a time; each may hold a plan, in a file without a name."""
MOST_SAMPLES: Final = 60
"""Single writes that are shown."""


class JobState(StrEnum):
    """How far a job is."""

    WAITING = "waiting"
    """Another look goes on; one at a time is enough for a processor."""
    LOOKING = "looking"
    READY = "ready"
    FAILED = "failed"
    STOPPED = "stopped"


class _Stopped(Exception):
    """Somebody has stopped the look."""


@dataclass(slots=True)
class EffectJob:
    """One look at what a draft would do."""

    draft: int
    version: int
    digest: str
    """Of the files as they were drafted."""
    began_at: datetime
    state: JobState = JobState.WAITING
    looked_at: int = 0
    total: int = 0
    """Tickets and other links that there are; 0: not known yet."""
    made: RevisionDraft | None = None
    told: dict[str, Any] | None = None
    """The effect as plain data, with samples; None: there is nothing to compare with."""
    problems: list[str] = field(default_factory=list)
    stop: bool = False
    _plan: EffectPlan | None = None
    _held: ExitStack = field(default_factory=ExitStack)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_under_way(self) -> bool:
        """Return whether more is to be expected."""
        return self.state in (JobState.WAITING, JobState.LOOKING)

    @property
    def doubtful(self) -> list[str]:
        """Return what of the change looks like a mistake."""
        changes = self.made.changes if self.made is not None else ()
        return [change.text for change in changes if change.doubtful]

    def look(self, desk: Desk, files: dict[str, str], parent: int | None) -> None:
        """Find out; whatever comes of it, the job says so. Nothing is raised."""
        try:
            self.state = JobState.LOOKING
            self.made = revisions.draft(desk, files, parent=parent, accept=True)
            self.total = sum(self.made.known.tickets.values())
            if desk.config.from_ledger:
                mapping_runs.refuse_beside(desk)
            if self.made.differences:
                planned = revisions.planned(desk, self.made, self._look)
                self._plan = self._held.enter_context(planned)
            if self._plan is not None:
                self.told = self._plan.summary.as_data()
                self.told["samples"] = self.told["samples"][:MOST_SAMPLES]
            self.state = JobState.READY
        except _Stopped:
            self._end(JobState.STOPPED, ["the look was stopped"])
        except ConfigError as error:
            self._end(JobState.FAILED, error.problems)
        except BridgeError as error:
            self._end(JobState.FAILED, [str(error)])
        except Exception:
            log.exception("what a draft would do could not be found out")
            self._end(JobState.FAILED, ["it could not be found out; the log says why"])

    def _look(self, seen: int) -> None:
        self.looked_at = seen
        if self.stop:
            raise _Stopped

    def _end(self, state: JobState, problems: list[str]) -> None:
        self.state, self.problems = state, problems
        self._held.close()

    def publish(
        self, desk: Desk, *, note: str, accept: bool, override_unsafe: bool
    ) -> tuple[int, int]:
        """Publish what was looked at; return the number of the revision, and that of its run."""
        with self._turn:
            if self.state is not JobState.READY or self.made is None:
                raise NotPossible("look at what the draft would do first, then publish it")
            if not self.made.differences:
                raise NotPossible("the draft is as what is in force: there is nothing to publish")
            in_step = not mapping_folders.notice(desk.config)
            carrying_out = None
            if self._plan is not None:
                carrying_out = CarryingOut(self._plan, override_unsafe)
            revision, _ = revisions.publish(
                desk,
                self.made,
                note=note,
                accept=accept,
                carrying_out=carrying_out,
            )
            mapping_edits.keep_in_step(desk, revision, in_step=in_step)
            return revision.number, carrying_out.run if carrying_out is not None else 0

    def let_go(self) -> None:
        """Let go of the plan; one under way is stopped."""
        self.stop = True
        if not self.is_under_way:
            self._held.close()


def beside(act: Callable[[], None]) -> None:
    """Do something beside the requests, for as long as the process lasts."""
    threading.Thread(target=act, name="effect", daemon=True).start()


@dataclass(slots=True)
class EffectJobs:
    """The jobs of this process, at most one of a draft."""

    start: Callable[[Callable[[], None]], None] = beside
    _jobs: dict[int, EffectJob] = field(default_factory=dict)
    _one: threading.Lock = field(default_factory=threading.Lock)
    """One look at a time."""
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def of(self, desk: Desk, draft: MappingDraft) -> EffectJob | None:
        """Return the job of a draft as it is now; None: nobody has looked, or it has changed."""
        self._forget_old(desk.now())
        job = self._jobs.get(draft.id)
        if job is None or job.digest != _digest(desk, draft):
            return None
        with desk.ledger.read() as tx:
            newest = mapping_revisions.newest_number(tx)
        return None if job.made is not None and job.made.follows != newest else job

    def begin(self, desk: Desk, draft: MappingDraft) -> EffectJob:
        """Begin to look at what a draft would do, unless that is known or under way already.

        Raises Busy where too many looks are kept.
        """
        known = self.of(desk, draft)
        if known is not None and known.state not in (JobState.FAILED, JobState.STOPPED):
            return known
        job = EffectJob(draft.id, draft.version, _digest(desk, draft), desk.now())
        files = drafts.texts(desk, draft)
        parent = None if draft.replaces else draft.base
        with self._turn:
            before = self._jobs.pop(draft.id, None)
            if before is not None:
                before.let_go()
            if len(self._jobs) >= MOST:
                self._make_room()
            self._jobs[draft.id] = job

        def look() -> None:
            with self._one:
                if job.stop:
                    job.state = JobState.STOPPED
                else:
                    job.look(desk, files, parent)

        self.start(look)
        return job

    def stop(self, draft_id: int) -> None:
        """Stop the look at a draft, if one is under way."""
        job = self._jobs.get(draft_id)
        if job is not None and job.is_under_way:
            job.stop = True

    def publish(
        self, desk: Desk, draft: MappingDraft, *, note: str, accept: bool, override_unsafe: bool
    ) -> tuple[int, int]:
        """Publish a draft just as its effect was shown; return the revision and its run.

        Then the draft is gone. Raises NotPossible where nobody has looked at the draft as it is
        now, where it has become another meanwhile, or where it is more than the guard lets through
        without `override_unsafe`; NotAccepted where it is doubtful, unless `accept`; Busy while the
        run of an earlier change goes on.
        """
        revisions.refuse_files(desk)
        job = self.of(desk, draft)
        if job is None:
            raise NotPossible(
                "the draft, or what is in force, is not as it was looked at: look again, "
                "then publish"
            )
        made = job.publish(desk, note=note, accept=accept, override_unsafe=override_unsafe)
        self.drop(draft.id)
        drafts.discard(desk, draft.id)
        return made

    def drop(self, draft_id: int) -> None:
        """Let go of the job of a draft."""
        with self._turn:
            job = self._jobs.pop(draft_id, None)
        if job is not None:
            job.let_go()

    def _make_room(self) -> None:
        ended = [job for job in self._jobs.values() if not job.is_under_way]
        if not ended:
            raise Busy(f"{MOST} looks are under way already: wait for one of them, or stop it")
        oldest = min(ended, key=lambda job: job.began_at)
        self._jobs.pop(oldest.draft).let_go()

    def _forget_old(self, now: datetime) -> None:
        with self._turn:
            for job in list(self._jobs.values()):
                if not job.is_under_way and now - job.began_at > KEPT:
                    self._jobs.pop(job.draft).let_go()


def _digest(desk: Desk, draft: MappingDraft) -> str:
    files = drafts.texts(desk, draft)
    return f"{draft.base} {draft.replaces} {mapping_revisions.checksum(files)}"
