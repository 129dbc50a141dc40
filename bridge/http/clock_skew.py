"""How a vendor's clock stands to ours, learnt from the Date headers of its answers. Pure but for a lock."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

LIFE = timedelta(minutes=10)
"""How long a bound is kept: clocks drift, and are set."""


class Skew:
    """How far our clock can be ahead of a vendor's, from the Date headers of its answers.

    Date has whole seconds, so one answer leaves a second of doubt; the smallest bound of the last
    minutes is kept, which soon comes down to the latency of a call.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._low: timedelta | None = None
        self._high: timedelta | None = None
        self._since: datetime | None = None

    def seen(self, date: str | None, sent_at: datetime, received_at: datetime) -> timedelta:
        """Take in one answer's Date header and give the bound; zero as long as the vendor has dated nothing."""
        theirs = http_date(date)
        with self._lock:
            if theirs is not None:
                low, high = sent_at - theirs - timedelta(seconds=1), received_at - theirs
                fresh = self._since is not None and received_at - self._since < LIFE
                if fresh and self._low is not None and self._high is not None:
                    kept_low, kept_high = max(low, self._low), min(high, self._high)
                    if (
                        kept_low <= kept_high
                    ):  # else a clock was set: what was known no longer holds
                        self._low, self._high = kept_low, kept_high
                        return kept_high
                self._low, self._high, self._since = low, high, received_at
            return self._high if self._high is not None else timedelta(0)


def http_date(value: str | None) -> datetime | None:
    """Read an HTTP date as aware UTC; None when there is none."""
    if not value:
        return None
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
