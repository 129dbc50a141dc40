"""Times as people are shown them: in UTC, wherever this machine stands, and marked so by a `Z`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

_CANONICAL: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")
"""A moment as the mapping writes it, so that times of two systems compare as text."""


def when(at: datetime | str) -> str:
    """Return a moment as `2026-05-01 07:50:48Z`. `at` may be text, as JSON has it."""
    return f"{_utc(at):%Y-%m-%d %H:%M:%S}Z"


def since_when(at: datetime) -> str:
    """Return since when something is so; what is counted by the minute has no seconds.

    The beginning of a minute is such a one: a moment that was seen has microseconds.
    """
    exact = at.second or at.microsecond
    return when(at) if exact else f"{_utc(at):%Y-%m-%d %H:%M}Z"


def moment_of(value: Any) -> str:
    """Return a canonical value that is a moment as people are shown it; empty: it is none."""
    if not isinstance(value, str) or not _CANONICAL.fullmatch(value):
        return ""
    try:
        return when(value)
    except ValueError:
        return ""


def for_programs(at: datetime) -> str:
    """Return a moment as every JSON has it: whole, in UTC, with a `Z`."""
    return _utc(at).isoformat().replace("+00:00", "Z")


def clock(at: datetime | str) -> str:
    """Return the time of day alone, `07:50:48Z`, of what happens now."""
    return f"{_utc(at):%H:%M:%S}Z"


def upcoming(at: datetime, now: datetime) -> str:
    """Return the time of what is to come, with its day where that is another: `12-01 07:50Z`."""
    return clock(at) if _utc(at).date() == _utc(now).date() else f"{_utc(at):%m-%d %H:%M}Z"


def _utc(at: datetime | str) -> datetime:
    return (datetime.fromisoformat(at) if isinstance(at, str) else at).astimezone(UTC)
