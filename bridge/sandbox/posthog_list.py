"""How PostHog filters its ticket list: what it does not understand, it drops."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bridge.sandbox.exchange import Problem
from bridge.sandbox.store import Record, from_iso

STATUSES = ("new", "open", "pending", "on_hold", "resolved")
PRIORITIES = ("low", "medium", "high", "critical")
CHANNELS = ("widget", "email", "slack")


def filtered(
    rows: list[Record], query: Mapping[str, str], *, ids: bool, tags: bool
) -> list[Record]:
    """Give the rows that the filters let through; `ids` and `tags` say whether this deployment knows them."""
    if ids and "ids" in query:
        wanted = set(query["ids"].split(","))
        rows = [row for row in rows if row["id"] in wanted]
    for name, known in (
        ("status", STATUSES),
        ("priority", PRIORITIES),
        ("channel_source", CHANNELS),
    ):
        values = {value for value in query.get(name, "").split(",") if value in known}
        rows = [row for row in rows if not values or row[name] in values]
    rows = _dated(rows, query)
    kind, colon, remote = query.get("assignee", "").partition(":")
    if kind == "unassigned":
        rows = [row for row in rows if row["assignee"] is None]
    elif colon:
        assigned = [row for row in rows if row["assignee"]]
        rows = [
            row
            for row in assigned
            if (row["assignee"]["type"], str(row["assignee"]["id"])) == (kind, remote)
        ]
    if query.get("search"):
        rows = [row for row in rows if _found(row, query["search"])]
    if tags and query.get("tags"):
        chosen = set(clean_tags(json.loads(query["tags"])))
        rows = [row for row in rows if chosen & set(row["tags"])]
    return list(rows)


def number(text: str | None, default: int) -> int:
    """Read a whole number, else take the default."""
    return int(text) if text is not None and text.isdigit() else default


def clean_tags(value: Any) -> list[str]:
    """Trim and lower-case tags. Raises Problem."""
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        raise Problem(400, "invalid", "Expected a list of strings.", "tags")
    return list(dict.fromkeys(tag.strip().lower() for tag in value if tag.strip()))


def _dated(rows: list[Record], query: Mapping[str, str]) -> list[Record]:
    for name, sign in (("date_from", 1), ("date_to", -1)):
        try:
            edge = from_iso(query[name]).timestamp() * sign if name in query else None
        except ValueError:
            continue
        if edge is not None:
            rows = [row for row in rows if from_iso(row["updated_at"]).timestamp() * sign >= edge]
    return rows


def _found(row: Record, search: str) -> bool:
    if search.isdigit():
        return bool(row["ticket_number"] == int(search))
    traits = row["anonymous_traits"]
    texts = (
        traits.get("name"),
        traits.get("email"),
        row["email_subject"],
        row["last_message_text"],
    )
    return any(search.casefold() in str(text).casefold() for text in texts if text)
