"""Whether two records that match are one request, and whether a record is new to everybody.

A customer who writes "Help" today and wrote "Help" a year ago has two requests. Equal fields alone
do not tell; what tells is when each was made and whether, and when, it ended. Nothing here knows a
system: statuses are canonical, and all times are of our own clock (`making`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bridge.core.merge.case import Case
from bridge.core.merge.making import made_there, span_of, state_made
from bridge.core.model.clocks import ClocksApart, TimeSpan
from bridge.core.model.entities import ENDED, MADE, STATUS
from bridge.core.model.state import Link
from bridge.core.model.values import Canonical, Unreadable

DAY = timedelta(days=1)
MOMENT = timedelta(minutes=2)
"""Made within this of one another, two records that match are one, whatever became of them."""
JUST_OPENED = DAY
"""For so long a new record is not ended or emptied because of an older one, unless a human says so.
"""


class Sameness(StrEnum):
    """What two records that match are to one another."""

    SAME = "same"
    OTHER = "other"
    """Certainly two requests."""
    DOUBTFUL = "doubtful"
    """Only a human can tell."""


Judgement = tuple[Sameness, str]
"""What two records are to one another, and why they may not be the same."""
SAME = (Sameness.SAME, "")
_CAUTION = (Sameness.OTHER, Sameness.DOUBTFUL, Sameness.SAME)
"""Of what may be so where it is not known which record is older, the first of these counts."""


@dataclass(frozen=True, slots=True)
class Life:
    """When a request was made, and whether and between which times it ended, as far as is known."""

    made: TimeSpan | None
    ended: bool
    ended_after: datetime | None = None
    ended_before: datetime | None = None


def life_of_record(
    values: Mapping[str, Canonical | Unreadable],
    clocks: ClocksApart,
    seen_at: datetime,
    changed_before: datetime | None,
) -> Life:
    """Return the life of a record by its canonical values, whose times are of the vendor's clock.

    What has ended did so before it was read, and before its own time of change, if it shows one.
    """
    before = seen_at if changed_before is None else min(seen_at, changed_before)
    made = span_of(values.get(MADE), clocks)
    return Life(made, values.get(STATUS) in ENDED, None, before)


def life_of_link(link: Link) -> Life:
    """Return the life of a ticket by its agreed state."""
    made, status = state_made(link), link.state.get(STATUS)
    over = status.over() if status is not None else None
    return Life(made, ended=False) if over is None else Life(made, True, *over)


def judge(one: Life, other: Life, max_apart: timedelta, *, may_be_copy: bool = False) -> Judgement:
    """Return whether two records that match are the same request, and why they may not be.

    `max_apart`: made further apart than this, open ones are not taken for the same unasked.
    `may_be_copy`: one may be a copy of the other that the ledger has forgotten. The copy of what
    has ended is made after the end, as a new request is: only a human can tell them apart.
    """
    judgement = _by_their_lives(one, other, max_apart)
    if may_be_copy and judgement[0] is Sameness.OTHER:
        why = "but their texts are the same, and the ledger was lost or put back"
        return Sameness.DOUBTFUL, f"{judgement[1]}; {why}"
    return judgement


def _by_their_lives(one: Life, other: Life, max_apart: timedelta) -> Judgement:
    if one.made is None or other.made is None:
        if one.ended == other.ended:
            return SAME
        return Sameness.DOUBTFUL, "one has ended, and nobody knows which of them came first"
    if one.made.farthest(other.made) <= MOMENT:
        return SAME
    apart = one.made.nearest(other.made)
    found: list[Judgement] = []
    if one.made.after <= other.made.before:
        found.append(_in_this_order(one, other, apart, max_apart))
    if other.made.after <= one.made.before:
        found.append(_in_this_order(other, one, apart, max_apart))
    return min(found, key=lambda judgement: _CAUTION.index(judgement[0]))


def _in_this_order(first: Life, second: Life, apart: timedelta, max_apart: timedelta) -> Judgement:
    """Judge two records of which the first is the older one."""
    if first.ended:
        return _after_an_end(first, second, too_far=apart > max_apart)
    if apart > max_apart:
        return Sameness.DOUBTFUL, f"they were made {round(apart / DAY)} days apart"
    return SAME


def known_until(one: Life, other: Life) -> datetime | None:
    """Return up to when the one's life has to be known before it is taken for the other's.

    It may have ended unseen before the other was made. None: its end would make no difference.
    """
    if one.ended or other.made is None:
        return None
    if one.made is not None and other.made.before - one.made.after <= MOMENT:
        return None
    return other.made.before


def _after_an_end(first: Life, second: Life, *, too_far: bool) -> Judgement:
    """Judge two records of which the older one has ended."""
    made = second.made
    if too_far or (made is not None and _is_by(first.ended_before, made.after)):
        return Sameness.OTHER, "the older one had ended before the newer one was made"
    if second.ended or (made is not None and _is_by(made.before, first.ended_after)):
        return SAME
    return Sameness.DOUBTFUL, "the older one has ended, perhaps before the newer one was made"


def _is_by(one: datetime | None, other: datetime | None) -> bool:
    """Return whether both times are known, and the first is not after the second."""
    return one is not None and other is not None and one <= other


def is_just_opened(case: Case, connection: str, ended_before: datetime | None) -> bool:
    """Return whether a connection's record may be so new that nobody has seen it yet.

    So it is within a day, and if it was made after the other one had ended.
    """
    made = made_there(case, connection)
    if made is None:
        return False
    after_the_end = ended_before is not None and made.before >= ended_before
    return after_the_end or case.obs.read_at - made.before <= JUST_OPENED
