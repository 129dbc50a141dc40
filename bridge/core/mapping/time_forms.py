"""Times and days as systems show them: with or without an offset, in numbers, in other orders."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final

from bridge.core.mapping.scalar_forms import NUMBERS
from bridge.core.model.values import Canonical, Raw, Unreadable, shown

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_IN_UTC: Final = _EPOCH.replace(tzinfo=None)
_REST_OF_UTC: Final = {
    len("2026-03-01T09:30:00Z"): ".000000+00:00",
    len("2026-03-01T09:30:00.123Z"): "000+00:00",
    len("2026-03-01T09:30:00.123456Z"): "+00:00",
}
"""What stands in place of the Z of such a time as it is kept, by the length of the text."""
_OFFSET: Final = re.compile(r"([+-])([01][0-9]|2[0-3]):([0-5][0-9])")
_LATEST: Final = 253_402_300_799
"""Seconds: the last of the year 9999."""

DATE_FORMS: Final = {
    "YYYY-MM-DD": (re.compile(r"(?P<y>[0-9]{4})-(?P<m>[0-9]{2})-(?P<d>[0-9]{2})"), "%Y-%m-%d"),
    "DD.MM.YYYY": (re.compile(r"(?P<d>[0-9]{2})\.(?P<m>[0-9]{2})\.(?P<y>[0-9]{4})"), "%d.%m.%Y"),
    "DD/MM/YYYY": (re.compile(r"(?P<d>[0-9]{2})/(?P<m>[0-9]{2})/(?P<y>[0-9]{4})"), "%d/%m/%Y"),
    "MM/DD/YYYY": (re.compile(r"(?P<m>[0-9]{2})/(?P<d>[0-9]{2})/(?P<y>[0-9]{4})"), "%m/%d/%Y"),
    "YYYYMMDD": (re.compile(r"(?P<y>[0-9]{4})(?P<m>[0-9]{2})(?P<d>[0-9]{2})"), "%Y%m%d"),
}
"""The ways to write a day that can be named, each with how it is read and written."""


def moment_of(raw: Raw, assumed: timezone | None = None) -> Canonical | Unreadable:
    """Return an ISO 8601 time in UTC, so that times of two systems compare as text.

    `assumed`: the offset of a time that shows none; None: which moment it means is not known.
    """
    try:
        at = datetime.fromisoformat(raw)
    except (TypeError, ValueError):
        return Unreadable(f"{shown(raw)} is no ISO 8601 time")
    if _is_usual_utc(raw):
        return raw[:-1] + _REST_OF_UTC[len(raw)]
    if at.tzinfo is None and assumed is None:
        return Unreadable(f"{shown(raw)} has no offset: which moment it means is not known")
    try:
        placed = at if at.tzinfo is not None else at.replace(tzinfo=assumed)
        return _kept(placed.astimezone(UTC).replace(tzinfo=None))
    except OverflowError:
        return Unreadable(f"{shown(raw)} is outside the calendar")


def _is_usual_utc(time: str) -> bool:
    """Return whether a text that is a time is written as nearly all systems write one in UTC.

    24:00, which some versions of Python take, is not: it is of the next day.
    """
    return (
        len(time) in _REST_OF_UTC
        and time[4:17:3] == "--T::"
        and time[19] in ".Z"
        and time[-1] == "Z"
        and time[11:13] != "24"
    )


def _kept(in_utc: datetime) -> str:
    """Return a time in UTC, which does not say so itself, in the one form in which it is kept."""
    return f"{in_utc.isoformat()}{'' if in_utc.microsecond else '.000000'}+00:00"


def offset_of(text: Any) -> timezone | None:
    """Return the offset that is written as `+01:00`; None for anything else."""
    found = _OFFSET.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    span = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return timezone(-span if found[1] == "-" else span)


def moment_of_unix(raw: Raw, per_second: int) -> Canonical | Unreadable:
    """Return the time that a number of seconds, or parts of them, since 1970 stands for."""
    if not isinstance(raw, NUMBERS) or isinstance(raw, bool):
        return Unreadable(f"{shown(raw)} is no number of seconds since 1970")
    latest = _LATEST * per_second
    if not -latest <= raw <= latest:
        return Unreadable(f"{shown(raw)} is outside the calendar; is it in another unit?")
    try:
        at = _EPOCH_IN_UTC + timedelta(0, 0, round(raw * (1_000_000 // per_second)))
    except OverflowError:
        return Unreadable(f"{shown(raw)} is outside the calendar; is it in another unit?")
    return _kept(at)


def unix_of_moment(value: Canonical, per_second: int) -> Raw:
    """Return a canonical time as a whole number of seconds, or parts of them, since 1970."""
    since = datetime.fromisoformat(value) - _EPOCH
    return since // timedelta(microseconds=1_000_000 // per_second)


def day_of(raw: Raw, form: str) -> Canonical | Unreadable:
    """Return the day that a text of one of DATE_FORMS means, as `2026-03-01`."""
    found = DATE_FORMS[form][0].fullmatch(raw) if isinstance(raw, str) else None
    if found is not None:
        try:
            return date(int(found["y"]), int(found["m"]), int(found["d"])).isoformat()
        except ValueError:
            pass
    return Unreadable(f"{shown(raw)} is no date of the form {form}")


def iso_day_of(raw: Raw) -> Canonical | Unreadable:
    """Return a day that is written as `2026-03-01`, as it is."""
    try:
        # Python reads other ways to write a day, too, but writes this one alone.
        if (day := date.fromisoformat(raw).isoformat()) == raw:
            return day
    except (TypeError, ValueError):
        pass
    return day_of(raw, "YYYY-MM-DD")


def written_day(value: Canonical, form: str) -> Raw:
    """Return a canonical day in one of DATE_FORMS."""
    day = date.fromisoformat(value)
    # By hand: not every machine fills up the years before 1000.
    parts = {"%Y": f"{day.year:04d}", "%m": f"{day.month:02d}", "%d": f"{day.day:02d}"}
    text = DATE_FORMS[form][1]
    for place, digits in parts.items():
        text = text.replace(place, digits)
    return text
