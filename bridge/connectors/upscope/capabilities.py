"""Facts of Upscope's documents: what is kept of its objects, and what operators may do.

The documents are the README of https://github.com/upscopeio/rest-api (v1.1) and the later ones at
https://cobrowsingapi.com/docs/rest-api, both read in 2026-11. Only names that are listed here are
kept, so that a field which the vendor adds tomorrow stays outside: nothing about where somebody is,
no key, no address of a page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bridge.connectors.parsing import parse_time
from bridge.core.model.capabilities import EntityCapabilities
from bridge.core.model.syncs import Connection
from bridge.errors import ConfigError

CUSTOMER, SESSION = "customer", "session"
"""A visitor is read as a customer, a finished screen share as a session. There are no tickets."""
LIST_PATH, USAGE_PATH = "/list.json", "/usage.json"

VISITOR_FIELDS = (
    "short_id email unique_id identities tags first_seen_at last_seen_at is_online is_in_session "
    "integration browser_name device_name device_type"
)
SESSION_FIELDS = (
    "id visitor_id email unique_id started_at ended_at length_seconds formatted_length "
    "call_length_seconds formatted_call_length went_live features_used agent_names"
)
SHORT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
SESSION_ID = re.compile(r"([A-Za-z0-9_-]{1,64})/([0-9]{1,18})")
"""A session has a number of its own, but is only shown with its visitor: its id here names both."""

CAPABILITIES: Mapping[str, EntityCapabilities] = {
    # `list.json` has no pages and no documented order or size: it is taken as "the latest ones".
    # That somebody is not in it says nothing, so neither entity is complete. Nothing is written.
    CUSTOMER: EntityCapabilities(
        readable=frozenset(VISITOR_FIELDS.split()), dated=False, complete=False
    ),
    SESSION: EntityCapabilities(readable=frozenset(SESSION_FIELDS.split()), complete=False),
}
ERASES = frozenset({CUSTOMER})
"""The later documents also have a call that deletes every offline visitor: it is not here."""

METRICS: Mapping[str, str] = {
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
"""Where a number of usage.json stands -> our name for it."""
METRICS_OF_PING: Mapping[str, str] = {
    "visitors_online": "visitors online",
    "sessions_now": "sessions now",
    "sessions_today": "today",
}

WATCH_URL = "watch_url"
ACTIONS: Mapping[str, str] = {
    WATCH_URL: (
        "open a screen share with a visitor and give its link (visitor, agent.id, agent.name; "
        "optional branding.naked, branding.no_bottom_bar, branding.retry_url); counts against the "
        "plan's limits"
    ),
}

OPTIONS: Mapping[str, str] = {
    "sessions_since": "an ISO time: screen shares that ended before it are not mirrored"
}


@dataclass(frozen=True, slots=True)
class UpscopeOptions:
    """The options of one connection, checked."""

    sessions_since: datetime | None


def read_options(connection: Connection) -> UpscopeOptions:
    """Read a connection's options. Raises ConfigError with everything that is wrong with them."""
    given = connection.options.get("sessions_since")
    since = parse_time(str(given)) if given else None
    if given and since is None:
        problem = f"sessions_since is {str(given)[:40]!r}; allowed an ISO 8601 time"
        raise ConfigError([f"connections.{connection.name}: {problem}"])
    return UpscopeOptions(since)
