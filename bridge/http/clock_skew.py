"""The difference between a vendor's clock and ours, learnt from the Date headers of its answers."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache

from bridge.core.model.clocks import NOT_LEARNT, ClocksApart

BOUND_LIFETIME = timedelta(minutes=10)
"""How long a bound is kept: clocks drift, and are set."""
MAX_SKEW = timedelta(days=366)
"""A clock further off shows no time at all."""
MAX_DATE_LENGTH = 100


class ClockSkew:
    """How far our clock is ahead of a vendor's. May be used from several threads.

    Date has whole seconds, so one answer leaves a second of doubt; the smallest bounds of the last
    minutes are kept, which soon come down to the latency of a call.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: ClocksApart | None = None
        self._since: datetime | None = None

    def learn(self, date: str | None, sent_at: datetime, received_at: datetime) -> ClocksApart:
        """Take in one answer's Date header; return what is known, `NOT_LEARNT` while none came."""
        theirs = http_date(date)
        with self._lock:
            if theirs is not None and abs(theirs - received_at) <= MAX_SKEW:
                # They wrote the date after we sent and before we received, and cut it to a second.
                low, high = sent_at - theirs - timedelta(seconds=1), received_at - theirs
                self._narrow(ClocksApart(low, high), received_at)
            return self._known or NOT_LEARNT

    def _narrow(self, seen: ClocksApart, received_at: datetime) -> None:
        """Intersect what was known with what one answer says."""
        fresh = self._since is not None and received_at - self._since < BOUND_LIFETIME
        if fresh and self._known is not None:
            least, most = max(seen.least, self._known.least), min(seen.most, self._known.most)
            if least <= most:
                self._known = ClocksApart(least, most)
                return
            # A clock was set meanwhile: what was known no longer holds.
        self._known, self._since = seen, received_at


def http_date(value: str | None) -> datetime | None:
    """Read an HTTP date as aware UTC; None when there is none."""
    return _read(value[:MAX_DATE_LENGTH]) if value else None


@lru_cache(maxsize=16)  # the answers of one second have one date
def _read(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None
