"""Where the API has the same as a page, for programs: linked at the page's foot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

from flask import current_app, request

API: Final = "API_PATH"
"""Under this name the application's configuration has the path of the API; empty: there is none."""
TWINS: Final[Mapping[str, str]] = {
    "overview.page": "/overview",
    "tickets.listing": "/tickets",
    "tickets.one": "/tickets/{ref}",
    "tickets.reason": "/tickets/{ref}/why/{field}",
    "problems.listing": "/parked",
    "conflicts.listing": "/conflicts",
    "connections.listing": "/connections",
    "connections.one": "/connections/{name}",
    "calls.listing": "/calls",
    "calls.one": "/calls/{number}",
    "events.listing": "/inbox",
    "events.one": "/inbox/{number}",
    "drift.listing": "/drift",
}
"""Endpoint -> where its values are; what is in braces stands in the page's address, too."""
FILTERS: Final[Mapping[str, tuple[str, ...]]] = {
    "tickets.listing": ("text", "state", "sync", "email", "tag"),
    "calls.listing": ("connection", "ticket", "outcome", "method", "slower_than"),
    "events.listing": ("verdict", "connection", "remote_id"),
}
"""Endpoint -> the filters that are called the same there."""


def json_twin() -> str:
    """Return where the API has what the present page shows; empty: nowhere."""
    prefix, endpoint = current_app.config[API], request.endpoint or ""
    if not prefix or endpoint not in TWINS:
        return ""
    given = {name: quote(str(value), safe=":") for name, value in (request.view_args or {}).items()}
    names = FILTERS.get(endpoint, ())
    query = urlencode({name: request.args[name] for name in names if request.args.get(name)})
    path = f"{request.script_root}{prefix}{TWINS[endpoint].format(**given)}"
    return f"{path}?{query}" if query else path
