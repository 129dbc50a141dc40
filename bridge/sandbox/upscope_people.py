"""The visitors and sessions of the Upscope sandbox, and its counts of them."""

from __future__ import annotations

import random
import string
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from bridge.sandbox.store import Record, from_iso

_GIVEN = """
short_id identities unique_id tags first_seen_at last_seen_at is_online browser_name device_name
device_type ip_address last_url location_city location_country location_country_name lookup_code
integration sessions
"""
FIELDS = frozenset(_GIVEN.split())
"""Fields that may be given for a visitor who comes."""
_LETTERS = string.ascii_uppercase + string.digits


def iso(at: datetime) -> str:
    """Write a visitor's time: UTC, with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def zoned(at: datetime, hours: int) -> str:
    """Write a session's time: with milliseconds and an offset."""
    return at.astimezone(timezone(timedelta(hours=hours))).isoformat(timespec="milliseconds")


def visitor(rng: random.Random, now: datetime) -> dict[str, Any]:
    """Return a visitor of whom nothing is known yet."""
    return {
        "api_key": "public-0123456789",
        "browser_name": "Chrome 65",
        "device_name": None,
        "device_type": "desktop",
        "first_seen_at": iso(now),
        "identities": None,
        "integration": "intercom",
        "ip_address": f"203.0.113.{rng.randrange(1, 255)}",
        "is_in_session": False,
        "is_online": True,
        "js_configuration": False,
        "last_seen_at": iso(now),
        "last_url": "https://shop.example/basket?token=private",
        "location_city": "New York, NY",
        "location_country": "US",
        "location_country_name": "united states",
        "lookup_code": None,
        "short_id": "".join(rng.choices(_LETTERS, k=8)),
        "tags": [],
        "unique_id": None,
        "sessions": [],
        "_type": "visitor",
    }


def share(number: int, visitor_id: str, agent: str, begun: datetime, zone: int) -> dict[str, Any]:
    """Return a screen share that has just begun."""
    return {
        "id": number,
        "length_seconds": 0,
        "formatted_length": "-",
        "call_length_seconds": 0,
        "formatted_call_length": "-",
        "started_at": zoned(begun, zone),
        "ended_at": None,
        "went_live": True,
        "features_used": [],
        "visitor_id": visitor_id,
        "team": {"id": 1, "domain": "shop.example", "_type": "team"},
        "agents": [
            {
                "id": number,
                "name": agent,
                "agent_identifier": f"ext-{number}",
                "_type": "external_agent",
            }
        ],
        "_type": "session",
    }


def ended(session: Mapping[str, Any], at: datetime, zone: int) -> dict[str, Any]:
    """Return a screen share as it is once it is over."""
    seconds = max(int((at - from_iso(session["started_at"])).total_seconds()), 1)
    minutes = seconds // 60
    length = f"{minutes} minute{'' if minutes == 1 else 's'}" if minutes else f"{seconds} seconds"
    return {
        **session,
        "length_seconds": seconds,
        "formatted_length": length,
        "ended_at": zoned(at, zone),
        "features_used": ["click", "draw"] if seconds % 2 else ["click"],
    }


def words(record: Record) -> str:
    """Return all that the search looks at; it finds parts of words, too."""
    return "\n".join(
        map(str, (record["short_id"], record["unique_id"], *(record["identities"] or ())))
    ).casefold()


def usage(visitors: Iterable[Record], now: datetime) -> dict[str, Any]:
    """Return the counts of visitors, agents and sessions in the form of usage.json."""
    people = list(visitors)
    sessions = [session for row in people for session in row["sessions"]]
    day, month = now - timedelta(days=1), now - timedelta(days=30)
    today, recent = _begun_since(day, sessions), _begun_since(month, sessions)
    seen = [from_iso(row["last_seen_at"]) for row in people]
    return {
        "visitors": {
            "online_now": sum(bool(row["is_online"]) for row in people),
            "last_24_hrs": sum(at > day for at in seen),
            "last_30_days": sum(at > month for at in seen),
        },
        "agents": {"today": _agents(today), "last_30_days": _agents(recent)},
        "session_counts": {
            "now": sum(session["ended_at"] is None for session in sessions),
            "today": len(today),
            "last_30_days": len(recent),
        },
        "session_seconds": {"today": _seconds(today), "last_30_days": _seconds(recent)},
    }


def _begun_since(since: datetime, sessions: Iterable[Record]) -> list[Record]:
    return [session for session in sessions if from_iso(session["started_at"]) > since]


def _seconds(sessions: Iterable[Record]) -> int:
    return sum(session["length_seconds"] for session in sessions)


def _agents(sessions: Iterable[Record]) -> int:
    return len({agent["name"] for session in sessions for agent in session["agents"]})
