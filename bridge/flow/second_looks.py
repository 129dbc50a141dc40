"""A record just made whose tags are not shown, perhaps for want of a licence (rule F15).

Nothing is written to such a set. Whether it is hidden or empty other records show, as soon as one
of them has a tag; but no listing of what has changed brings this one up again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from bridge.core.merge.equality import present_elements
from bridge.core.model.outcome_codes import Code
from bridge.core.model.state import FieldState, Link
from bridge.core.model.values import Ref
from bridge.ledger import hints
from bridge.ledger.work import NewWork, WorkRow

LOOK_AGAIN_AFTER: Final = timedelta(seconds=2)


def second_look(link: Link, made: Ref, row: WorkRow, now: datetime) -> list[NewWork]:
    """Return the work of reading the record once more, if it may hide a set that is owed to it."""
    fields = link.sides[made.connection].fields
    hidden = [name for name, entry in fields.items() if entry.unreadable_code == Code.READ_EMPTY]
    if not any(present_elements(link.state.get(name) or FieldState()) for name in hidden):
        return []
    due_at = now + LOOK_AGAIN_AFTER
    return [hints.wanted(made, now, due_at=due_at, lane=row.lane, run_id=row.run_id)]
