"""Times as people are shown them: in UTC, wherever this machine stands, and marked so by a `Z`."""

from __future__ import annotations

from datetime import UTC, datetime


def when(at: datetime | str) -> str:
    """Give a moment: `2026-05-01 07:50:48Z`. As text it comes from JSON."""
    return f"{_utc(at):%Y-%m-%d %H:%M:%S}Z"


def clock(at: datetime | str) -> str:
    """Give the time of day alone, of what happens now or within a day: `07:50:48Z`."""
    return f"{_utc(at):%H:%M:%S}Z"


def _utc(at: datetime | str) -> datetime:
    return (datetime.fromisoformat(at) if isinstance(at, str) else at).astimezone(UTC)
