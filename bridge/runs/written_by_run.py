"""What a run wrote to one record, and what an undo of the run has sent there so far."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bridge.core.model.state import NEVER, Attempt, Side
from bridge.core.model.values import Raw
from bridge.engine.context import Task
from bridge.flow.commit import the_link
from bridge.ledger import run_writes
from bridge.ledger.database import Tx
from bridge.ledger.run_writes import CarriedOutWrite, CreatedRecord


@dataclass(slots=True)
class WrittenByRun:
    """What a run wrote to one record."""

    created: bool = False
    """The run made the record."""
    ours: dict[str, list[Raw]] = field(default_factory=dict)
    """By field: the values that count as ours (what was sent, and what it was answered with)."""
    before: dict[str, Raw] = field(default_factory=dict)
    """By field: the value that the run's first write found."""
    revs: dict[str, int] = field(default_factory=dict)
    """By field: the revision of the state that the run's last write brought there."""
    undoing: list[Attempt] = field(default_factory=list)
    """What this very undo has sent so far, before its worker was killed or had to wait."""

    def has_sent(self, attempt: Attempt) -> bool:
        """Return whether an attempt is of this undo."""
        return any(attempt.id == ours.id for ours in self.undoing)

    def sent_back(self, name: str) -> bool:
        """Return whether this undo has sent a field already."""
        return any(name in attempt.sent for attempt in self.undoing)


def written_by_run(tx: Tx, task: Task, side: Side) -> WrittenByRun:
    """Put together what the run wrote to this record."""
    run_id, link_id = int((task.row.payload or {})["undoes"]), the_link(task).id
    made = run_writes.made(tx, run_id, link_id=link_id)
    changed = run_writes.changed(tx, run_id, link_id=link_id)
    return put_together(made, changed, side, undoing=sent_by(tx, task, side))


def put_together(
    made: Iterable[CreatedRecord],
    changed: Iterable[CarriedOutWrite],
    side: Side,
    *,
    undoing: Sequence[Attempt] = (),
) -> WrittenByRun:
    """Put together what of a run's writes to a ticket went to this record."""
    record = (side.connection, side.remote_id)
    did = WrittenByRun(undoing=list(undoing))
    for create in made:
        if (create.connection, create.remote_id) == record:
            did.created = True
            did.ours = {name: [raw] for name, raw in create.sent.items()}
    for write in changed:
        if (write.connection, write.remote_id) != record:
            continue
        for name, raw in write.attempt.sent.items():
            # Of several writes to a field, the first found what was there before the run.
            did.before.setdefault(name, write.attempt.before.get(name))
            did.revs[name] = write.attempt.revs.get(name, NEVER)
            did.ours[name] = [raw, *([write.read_back[name]] if name in write.read_back else [])]
    # What the vendor makes of a value that we sent counts as ours, too (rule F13).
    for name, values in did.ours.items():
        entry = side.fields.get(name)
        if entry is not None and entry.remembered_answer is not None:
            values.append(entry.remembered_answer[1])
    return did


def sent_by(tx: Tx, task: Task, side: Side) -> list[Attempt]:
    """Return what this undo has sent to a record so far."""
    writes = run_writes.changed(tx, int(task.row.run_id or 0), link_id=the_link(task).id)
    record = (side.connection, side.remote_id)
    return [write.attempt for write in writes if (write.connection, write.remote_id) == record]
