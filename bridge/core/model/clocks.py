"""What a time that a vendor's clock shows means in ours.

Each vendor has a clock of its own, and it may be wrong. Only times of one clock can be compared, so
the times of two vendors are brought into ours first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

SECOND = timedelta(seconds=1)
"""What a time without a fraction may hide."""


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """When something happened, by our clock: not before the first time, nor after the second."""

    after: datetime
    before: datetime

    @property
    def middle(self) -> datetime:
        """Return the likeliest time, for a search that has a window anyway."""
        return self.after + (self.before - self.after) / 2

    def nearest(self, other: TimeSpan) -> timedelta:
        """Return how far apart two such times are at least."""
        return max(self.after - other.before, other.after - self.before, timedelta(0))

    def farthest(self, other: TimeSpan) -> timedelta:
        """Return how far apart two such times are at most."""
        return max(self.before - other.after, other.before - self.after)


@dataclass(frozen=True, slots=True)
class ClocksApart:
    """How far our clock is ahead of a vendor's, at least and at most; negative: it is behind."""

    least: timedelta
    most: timedelta

    def ours(self, theirs: datetime) -> TimeSpan:
        """Return what a time of the vendor's is in our clock."""
        hidden = timedelta(0) if theirs.microsecond else SECOND
        return TimeSpan(_moved(theirs, self.least), _moved(theirs, self.most + hidden))


NOT_LEARNT = ClocksApart(timedelta(days=-1), timedelta(days=1))
"""Of a vendor whose answers have shown no date (yet). No clock that anybody uses is further off."""


def _moved(time: datetime, by: timedelta) -> datetime:
    try:
        return time + by
    except OverflowError:  # at an end of the calendar, where nothing happens
        return time
