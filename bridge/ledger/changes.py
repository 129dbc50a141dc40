"""What one step of one ticket stores, as a value; and storing that of many tickets at once.

A step is stored whole or not at all. Its link's lease comes first: where another task has taken
that over, nothing of the step is stored. Each kind of change is one statement for all tickets, in
the order of `store`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bridge.core.model.state import Note
from bridge.ledger import (
    attempts,
    intents,
    link_leases,
    new_links,
    timeline,
    webhook_inbox,
    work,
)
from bridge.ledger.attempts import ClosedAttempt, NewAttempt
from bridge.ledger.database import Tx
from bridge.ledger.intents import NewIntent
from bridge.ledger.link_leases import HeldLink
from bridge.ledger.new_links import AdoptedRecord, NewLink
from bridge.ledger.timeline import Told
from bridge.ledger.webhook_inbox import Answered
from bridge.ledger.work import BegunWork, NewWork, WorkRow


@dataclass(frozen=True, slots=True)
class PutOff:
    """A claimed row that is given back, to be done at that time."""

    row: WorkRow
    due_at: datetime


@dataclass(slots=True)
class Changes:
    """What one step of one ticket stores: all of it, or nothing."""

    now: datetime
    owner: str
    """Whoever has claimed the work."""
    held: HeldLink | None = None
    """The link under its lease; None: no link that is there is concerned."""
    started: NewLink | None = None
    """A link that is started, unless it turns out to be known."""
    adopted: AdoptedRecord | None = None
    """What a create has made for the link, unless it turns out to belong to another."""
    best_before: datetime | None = None
    """Later, what the step goes by is too old."""
    closed: list[ClosedAttempt] = field(default_factory=list)
    opened: list[NewAttempt] = field(default_factory=list)
    intended: list[NewIntent] = field(default_factory=list)
    finished: WorkRow | None = None
    """The work that is done. If a hint came meanwhile, it is due again at once."""
    put_off: PutOff | None = None
    raised: list[NewWork] = field(default_factory=list)
    goes_on: BegunWork | None = None
    """Work that whoever has the lease goes straight on with."""
    notes: list[Note] = field(default_factory=list)
    """For the link's timeline."""
    answered: list[Answered] = field(default_factory=list)
    also: list[Callable[[Tx], object]] = field(default_factory=list)
    """What is rare, after all else, in its order."""
    left_out: bool = False
    """`store` has stored nothing of it: what is new is linked already, or it is too old."""

    @property
    def link_id(self) -> str:
        """Return the link that the step is about; empty: it is about none, and has no notes."""
        if self.started is not None:
            return self.started.link.id
        return "" if self.held is None else self.held.id

    def _has_no_place(self, now: datetime) -> bool:
        is_known = any(new is not None and new.is_known for new in (self.started, self.adopted))
        return is_known or (self.best_before is not None and now > self.best_before)


def store(tx: Tx, steps: Sequence[Changes], now: datetime) -> list[WorkRow | None]:
    """Store the steps of any number of tickets; return the work that each goes on with.

    None: it goes on with none, or that work is there already and in other hands. A step that has no
    place any more is `left_out`. Raises LeaseLost, or what a statement raised, if one of the others
    cannot be stored: then the caller rolls back, and has each stored by itself.
    """
    started = [each.started for each in steps if each.started]
    new_links.look(tx, started, [each.adopted for each in steps if each.adopted])
    for each in steps:
        each.left_out = each._has_no_place(now)  # noqa: SLF001 - it is this function's
    kept = [each for each in steps if not each.left_out]
    begun = _store(tx, kept) if kept else {}
    return [begun.get(each.goes_on.new.key) if each.goes_on else None for each in steps]


def _store(tx: Tx, steps: Sequence[Changes]) -> dict[str, WorkRow]:
    _store_links(tx, steps, steps[0].now)
    attempts.close(tx, [closed for each in steps for closed in each.closed])
    attempts.begin(tx, [opened for each in steps for opened in each.opened])
    intents.begin_all(tx, [intended for each in steps for intended in each.intended])
    begun = _store_work(tx, steps)
    timeline.add_all(tx, [Told(each.link_id, each.now, each.notes) for each in steps])
    webhook_inbox.answer(tx, [verdict for each in steps for verdict in each.answered])
    for act in [act for each in steps for act in each.also]:
        act(tx)
    return begun


def _store_links(tx: Tx, steps: Sequence[Changes], now: datetime) -> None:
    new_links.start(tx, [each.started for each in steps if each.started], now)
    link_leases.save(tx, [each.held for each in steps if each.held], now)
    new_links.adopt(tx, [each.adopted for each in steps if each.adopted], now)


def _store_work(tx: Tx, steps: Sequence[Changes]) -> dict[str, WorkRow]:
    """Store what becomes of the work; return what is gone on with, by key.

    What is done goes first, for it may be asked for anew.
    """
    finished = [(each.finished, each.owner) for each in steps if each.finished]
    work.finish_all(tx, finished, steps[0].now)
    put_off = [(each.put_off, each.owner) for each in steps if each.put_off]
    for each, owner in sorted(put_off, key=lambda item: item[0].row.key):
        work.reschedule(tx, each.row, owner, each.due_at, count=False)
    work.enqueue_all(tx, [new for each in steps for new in each.raised])
    return work.begin_all(tx, [each.goes_on for each in steps if each.goes_on])
