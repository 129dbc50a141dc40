"""The events of PostHog's tickets: creates, changed status, priority and assignee, and messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bridge.sandbox.exchange import Event
from bridge.sandbox.journal import Kind
from bridge.sandbox.store import Record


def events_of(kind: Kind, record: Record, before: Mapping[str, Any]) -> list[Event]:
    """Return the events of a change: there are no others, and none of what stays as it was."""
    base = {
        name: record[name] for name in ("ticket_number", "channel_source", "status", "priority")
    }
    identity = str(record["id"])
    return [
        Event(name, identity, {"ticket_id": identity, **base, **extra})
        for name, extra in _told(kind, record, before)
    ]


def _told(
    kind: Kind, record: Record, before: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    if kind == "create":
        yield "$conversation_ticket_created", {}
    if kind not in {"write", "edit"}:
        return
    for name in ("status", "priority"):
        if name in before:
            changed = {f"old_{name}": before[name], f"new_{name}": record[name]}
            yield f"$conversation_ticket_{name}_changed", changed
    if "assignee" in before:
        to = record["assignee"] or {"type": None, "id": None}
        remote_id = None if to["id"] is None else str(to["id"])
        assigned = {"assignee_type": to["type"], "assignee_id": remote_id}
        yield "$conversation_ticket_assigned", assigned
    if "last_message_at" in before:
        message = {"message_content": record["last_message_text"], "author_type": "customer"}
        yield "$conversation_message_received", message
