"""Facts of ScopeAI's documents: what it takes, what it shows, and the options of a connection.

The documents are two revisions of source/index.html.md in https://github.com/scopeai/slate, both
read in 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bridge.core.model.capabilities import EntityCapabilities, Probe, Support, Writable
from bridge.core.model.syncs import Connection
from bridge.errors import ConfigError

TICKET, MESSAGE = "ticket", "message"
"""Both are sent as tickets, and cannot be told apart afterwards."""
TICKETS_PATH, FIND_PATH, TAGS_PATH = "/tickets", "/tickets/find_by", "/tags"
PAGE_SIZE = 100

READABLE = (
    "id external_id source original_text cleanest_body tags conversation_id created created_at "
    "sender"
)
_ON_CREATE = Writable(on_update=Support.NO, clears=False)

CAPABILITIES: Mapping[str, EntityCapabilities] = {
    entity: EntityCapabilities(
        readable=frozenset(READABLE.split()),
        writable={
            "original_text": Writable(on_update=Support.NO, clears=False, required=True),
            "original_html": _ON_CREATE,
            # What is called a tag is a subject that ScopeAI found. Nobody removes one.
            "tags": Writable(on_create=False, on_update=Support.NO, clears=False, removes=False),
        },
        creates=Support.YES,
        dated=False,
        complete=False,
        originates=False,
        also_as=frozenset({TICKET, MESSAGE} - {entity}),
        settle=10.0,
    )
    for entity in (TICKET, MESSAGE)
}

OPTIONS: Mapping[str, str] = {
    "external_id": "what is sent as external_id: int (usual) or string",
    "find_by": "true: the deployment has GET /tickets/find_by?external_id=",
    "window": (
        "how far back every poll reads, for subjects that are found later (7d; such as 12h or 30d)"
    ),
}
_WINDOW = re.compile(r"(\d{1,4})([hd])")
_HOURS = {"h": 1, "d": 24}


@dataclass(frozen=True, slots=True)
class ScopeaiOptions:
    """The options of one connection, checked."""

    id_type: str
    """`int` or `string`: the type of an external id."""
    has_find_by: bool
    window: timedelta


def read_options(connection: Connection) -> ScopeaiOptions:
    """Read a connection's options. Raises ConfigError with everything that is wrong with them."""
    given, path = connection.options, f"connections.{connection.name}"
    id_type = str(given.get("external_id", "int"))
    find_by = given.get("find_by", False)
    window = _window(given.get("window", "7d"))
    problems: list[str] = []
    if id_type not in {"int", "string"}:
        problems.append(f"{path}.external_id: is {id_type[:40]!r}; allowed int, string")
    if not isinstance(find_by, bool):
        problems.append(f"{path}.find_by: is {str(find_by)[:40]!r}; allowed true, false")
    if window is None:
        shown = str(given["window"])[:40]
        problems.append(f"{path}.window: is {shown!r}; allowed hours or days, such as 12h, 7d")
    if problems or window is None:
        raise ConfigError(problems)
    return ScopeaiOptions(id_type, find_by, window)


def _window(text: Any) -> timedelta | None:
    """Read `12h` or `7d`; None for anything else, and for no time at all."""
    parts = _WINDOW.fullmatch(text) if isinstance(text, str) else None
    return timedelta(hours=int(parts[1]) * _HOURS[parts[2]]) or None if parts else None


PROBES = (
    Probe(
        "GET /tickets/find_by",
        "in a later revision of the document; a 404 proves nothing, and the tickets are listed",
    ),
)
