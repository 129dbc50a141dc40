"""Whether two records that match are one request, and whether a record is new to everybody.

A customer who writes "Help" today and wrote "Help" a year ago has two requests. Equal fields alone
do not tell; what tells is when each was made and whether, and when, it ended. Nothing here knows a
system: times and statuses are canonical.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bridge.core.merge.case import Case
from bridge.core.model.entities import ENDED, MADE, STATUS
from bridge.core.model.state import Link
from bridge.core.model.values import Canonical, Marker, Unreadable

MOMENT = timedelta(minutes=2)
"""Made within this of one another, two records that match are one, whatever became of them."""
JUST_OPENED = timedelta(days=1)
"""For so long a new record is not ended or emptied because of an older one, unless a human says so.
"""


class Sameness(StrEnum):
    """What two records that match are to one another."""

    SAME = "same"
    OTHER = "other"
    """Certainly two requests."""
    DOUBTFUL = "doubtful"
    """Only a human can tell."""


SAME = (Sameness.SAME, "")


@dataclass(frozen=True, slots=True)
class Life:
    """When a request was made, and whether and between which times it ended, as far as is known."""

    made: datetime | None
    ended: bool
    ended_after: datetime | None = None
    ended_before: datetime | None = None


def life_of_record(
    values: Mapping[str, Canonical | Unreadable], seen_at: datetime, changed_before: datetime | None
) -> Life:
    """Return the life of a record by its canonical values.

    What has ended did so before it was read, and before its own time of change, if it shows one.
    """
    before = seen_at if changed_before is None else min(seen_at, changed_before)
    return Life(_time(values.get(MADE)), values.get(STATUS) in ENDED, None, before)


def life_of_link(link: Link) -> Life:
    """Return the life of a ticket by its agreed state."""
    made, status = link.state.get(MADE), link.state.get(STATUS)
    when = _time(made.value) if made is not None else None
    if status is None:
        return Life(when, ended=False)
    return Life(when, status.value in ENDED, status.lo, status.hi)


def judge(one: Life, other: Life, max_apart: timedelta) -> tuple[Sameness, str]:
    """Return whether two records that match are the same request, and why they may not be.

    `max_apart`: made further apart than this, open ones are not taken for the same unasked.
    """
    if one.made is None or other.made is None:
        if one.ended == other.ended:
            return SAME
        return Sameness.DOUBTFUL, "one has ended, and nobody knows which of them came first"
    first, second = (one, other) if one.made <= other.made else (other, one)
    apart = abs(one.made - other.made)
    if apart <= MOMENT:
        return SAME
    if first.ended:
        return _after_an_end(first, second, too_far=apart > max_apart)
    if apart > max_apart:
        return Sameness.DOUBTFUL, f"they were made {apart.days} days apart"
    return SAME


def known_until(one: Life, other: Life) -> datetime | None:
    """Return up to when the one's life has to be known before it is taken for the other's.

    It may have ended unseen before the other was made. None: its end would make no difference.
    """
    if one.ended or other.made is None:
        return None
    if one.made is not None and other.made - one.made <= MOMENT:
        return None
    return other.made


def _after_an_end(first: Life, second: Life, *, too_far: bool) -> tuple[Sameness, str]:
    """Judge two records of which the older one has ended."""
    if too_far or _is_by(first.ended_before, second.made):
        return Sameness.OTHER, "the older one had ended before the newer one was made"
    if second.ended or _is_by(second.made, first.ended_after):
        return SAME
    return Sameness.DOUBTFUL, "the older one has ended, perhaps before the newer one was made"


def _is_by(one: datetime | None, other: datetime | None) -> bool:
    """Return whether both times are known, and the first is not after the second."""
    return one is not None and other is not None and one <= other


def is_just_opened(case: Case, connection: str, ended_before: datetime | None) -> bool:
    """Return whether a connection's record is so new that nobody may have seen it yet.

    So it is within a day, and if it was made after the other one had ended.
    """
    made = _time(_made_there(case, connection))
    if made is None:
        return False
    after_the_end = ended_before is not None and made >= ended_before
    return after_the_end or case.obs.read_at - made <= JUST_OPENED


def _made_there(case: Case, connection: str) -> Canonical | Unreadable:
    """Return when a connection's record says that it was made."""
    entity_map = case.rules.maps.get(connection)
    field_map = entity_map.fields.get(MADE) if entity_map is not None else None
    if field_map is None or connection not in case.link.sides:
        return None
    if connection == case.connection:
        raw = case.obs.values.get(MADE)
    else:
        held = case.link.sides[connection].fields.get(MADE)
        raw = None if held is None else held.shadow
    return None if isinstance(raw, Marker | Unreadable) else field_map.read(raw)


def _time(value: Canonical | Unreadable) -> datetime | None:
    """Return a canonical time; None for anything else."""
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    return value if isinstance(value, datetime) else None
