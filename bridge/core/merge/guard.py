"""The brakes: too many destructive writes, an emptied source, a field that is passed to and fro.

Each function returns a reason or a verdict; holding a write back is its caller's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bridge.core.model.counting import counted
from bridge.core.model.syncs import Guard


def destructive_held(count_this_hour: int, more: int, records: int, guard: Guard) -> str | None:
    """Return why a destructive write has to wait for an admin; None when it may go."""
    limit = max(guard.minimum, int(records * guard.share))
    if guard.lifted or more <= 0 or count_this_hour + more <= limit:
        return None
    return (
        f"held as unsafe: {count_this_hour} destructive writes in the last hour and {more} more "
        f"would pass the limit of {limit} ({guard.share:.0%} of "
        f"{counted(records, 'record')}, at least "
        f"{guard.minimum}); look at `bridge parked list`, then `bridge parked retry ID --approve`"
    )


def change_held(updates: int, records: int, guard: Guard) -> str | None:
    """Return why the updates that a changed mapping causes wait for an admin's word; None: go.

    Ordinary updates count for nothing else: no human makes so many at once, and a table may.
    """
    limit = max(guard.minimum, int(records * guard.share))
    if guard.lifted or updates <= limit:
        return None
    return (
        f"{counted(updates, 'record')} would be changed, more than the limit of {limit} "
        f"({guard.share:.0%} of {counted(records, 'record')}, at least {guard.minimum})"
    )


def emptied_source(listed: int, known: int, guard: Guard) -> str | None:
    """Return why a listing that shows no record at all is not believed; None when it is."""
    if listed or not known:
        return None
    what = "each is read by itself" if few_enough(known, guard) else "nothing was changed"
    return (
        f"the source lists no records at all, yet {known} are known: {what}; "
        "check the credentials and the project, then run `bridge reconcile` again"
    )


def few_enough(absent: int, guard: Guard) -> bool:
    """Return whether records that an empty listing lacks are so few that each may be read."""
    return absent <= guard.minimum


def flips_too_often(flips: Sequence[tuple[datetime, str]], now: datetime, guard: Guard) -> bool:
    """Return whether a field has changed hands too often within the guard's window."""
    return sum(now - when <= guard.flip_window for when, _by in flips) > guard.flips
