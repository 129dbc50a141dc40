"""Times as people are shown them: in UTC, wherever this machine stands, and marked so by a `Z`."""

from __future__ import annotations

from datetime import UTC, datetime


def when(at: datetime | str) -> str:
    """Return a moment as `2026-05-01 07:50:48Z`. `at` may be text, as JSON has it."""
    return f"{_utc(at):%Y-%m-%d %H:%M:%S}Z"


def clock(at: datetime | str) -> str:
    """Return the time of day alone, `07:50:48Z`, of what happens now."""
    return f"{_utc(at):%H:%M:%S}Z"


def upcoming(at: datetime, now: datetime) -> str:
    """Return the time of what is to come, with its day where that is another: `12-01 07:50Z`."""
    return clock(at) if _utc(at).date() == _utc(now).date() else f"{_utc(at):%m-%d %H:%M}Z"


def _utc(at: datetime | str) -> datetime:
    return (datetime.fromisoformat(at) if isinstance(at, str) else at).astimezone(UTC)
