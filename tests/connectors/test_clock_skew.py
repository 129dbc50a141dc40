"""The vendor's clock against ours, by the Date headers of its answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bridge.core.model.clocks import NOT_LEARNT, ClocksApart
from bridge.http.clock_skew import ClockSkew


def apart(least, most):
    return ClocksApart(timedelta(seconds=least), timedelta(seconds=most))


def test_the_date_header_gives_bounds_that_tighten():
    skew = ClockSkew()
    at = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
    assert skew.learn(None, at, at) == NOT_LEARNT
    date = (
        "Mon, 23 Nov 2026 11:59:50 GMT"  # ten seconds behind us, give or take its hidden fraction
    )
    late = at + timedelta(seconds=0.9)
    assert skew.learn(date, late, late) == apart(9.9, 10.9)
    soon = at + timedelta(seconds=0.1)
    assert skew.learn(date, soon, soon) == apart(9.9, 10.1)
    assert skew.learn(date, late, late) == apart(9.9, 10.1)
    assert skew.learn(None, late, late) == apart(9.9, 10.1)
    hour = at + timedelta(hours=1)
    assert skew.learn("Mon, 23 Nov 2026 13:00:00 GMT", hour, hour) == apart(-1, 0)
