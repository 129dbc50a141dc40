"""Upscope's objects, cut down to what may be kept: nothing about where somebody is, no key, no page address.

Only names that are listed here get through, so that a field which the vendor adds tomorrow stays
outside, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from bridge.connectors.parsing import format_time, parse_time

VISITOR = (
    "short_id email unique_id identities tags first_seen_at last_seen_at is_online is_in_session integration "
    "browser_name device_name device_type"
)
SESSION = (
    "id visitor_id email unique_id started_at ended_at length_seconds formatted_length call_length_seconds "
    "formatted_call_length went_live features_used agent_names"
)
SHORT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
SESSION_ID = re.compile(r"([A-Za-z0-9_-]{1,64})/([0-9]{1,18})")
"""A session has a number of its own, but is only shown with its visitor: its id here names both."""
FIGURES = {
    "visitors.online_now": "visitors_online",
    "visitors.last_24_hrs": "visitors_24h",
    "visitors.last_30_days": "visitors_30d",
    "agents.today": "agents_today",
    "agents.last_30_days": "agents_30d",
    "session_counts.now": "sessions_now",
    "session_counts.today": "sessions_today",
    "session_counts.last_30_days": "sessions_30d",
    "session_seconds.today": "session_seconds_today",
    "session_seconds.last_30_days": "session_seconds_30d",
}
"""Where a figure of usage.json stands -> our name for it."""

_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")

Row = Mapping[str, Any]


def short_id(row: Any) -> str:
    """Give a visitor's id; empty when this is no visitor."""
    value = row.get("short_id") if isinstance(row, Mapping) else None
    return value if isinstance(value, str) and SHORT_ID.fullmatch(value) else ""


def visitor(row: Row) -> dict[str, Any]:
    """Give what is kept of a visitor. A name that the row lacks stays absent."""
    found = {name: row[name] for name in VISITOR.split() if name in row}
    if "first_seen_at" not in found and "added_at" in row:  # what newer versions of the API call it
        found["first_seen_at"] = row["added_at"]
    for name in ("first_seen_at", "last_seen_at"):
        if name in found:
            found[name] = utc(found[name])
    if "identities" in row:
        found["identities"] = texts(row["identities"])
    if "identities" in row or "email" in row:
        found["email"] = email(row)
    return found


def email(row: Row) -> str | None:
    """Give the one e-mail address that a visitor shows; None when there is none, or when several say who it is.

    Identities are free text: only what is an address as a whole counts.
    """
    shown = [*texts(row.get("identities")), *texts([row.get("email")])]
    addresses = {text.strip().casefold() for text in shown if _ADDRESS.fullmatch(text.strip())}
    return addresses.pop() if len(addresses) == 1 else None


def sessions(row: Row) -> Iterator[tuple[str, Row]]:
    """Give a visitor's screen shares, each with its number as text."""
    for each in row.get("sessions") or ():
        number = each.get("id") if isinstance(each, Mapping) else None
        if isinstance(number, int) and not isinstance(number, bool) and number >= 0:
            yield str(number), each


def finished(row: Row) -> datetime | None:
    """Give the time at which a session ended; None while it runs."""
    return parse_time(row.get("ended_at"))


def session(of: Row, number: str, row: Row) -> dict[str, Any]:
    """Give what is kept of a session, with who its visitor is."""
    agents = row.get("agents")
    names = texts(
        [each.get("name") for each in agents if isinstance(each, Mapping)] if agents else None
    )
    features = texts(row.get("features_used"))
    found = {name: row.get(name) for name in SESSION.split()}
    return found | {
        "id": f"{short_id(of)}/{number}",
        "visitor_id": short_id(of),
        "email": email(of),
        "unique_id": of.get("unique_id"),
        "started_at": utc(row.get("started_at")),
        "ended_at": utc(row.get("ended_at")),
        "features_used": features,
        "agent_names": ", ".join(dict.fromkeys(names)),
    }


def account_metrics(usage: Any) -> dict[str, float]:
    """Give the numbers of usage.json under our names; what is no number is left out."""
    found: dict[str, float] = {}
    for path, name in FIGURES.items():
        value = usage
        for step in path.split("."):
            value = value.get(step) if isinstance(value, Mapping) else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            found[name] = value
    return found


def utc(value: Any) -> str | None:
    """Write a time of either style as UTC; None when it is none."""
    at = parse_time(value)
    return format_time(at) if at is not None else None


def texts(value: Any) -> list[str]:
    """Give the texts of a list that may be null, or hold other things."""
    return (
        [each for each in value if isinstance(each, str) and each.strip()]
        if isinstance(value, list)
        else []
    )
