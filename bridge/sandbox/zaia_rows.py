"""Zaia's two shapes of a ticket: the row of listings and reads, and what writes answer with."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bridge.sandbox.exchange import Problem
from bridge.sandbox.store import Record, random_uuid

STATUSES = ("pending", "ongoing", "completed")
SERVICE_USER = "00000000-0000-4000-8000-0000000000ff"
"""The account under whose name the bridge works."""
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
WORKSPACE = "00000000-0000-4000-8000-00000000aaaa"
_ENTITY = (
    "id chatId status summary createdAt updatedAt ongoingAt completedAt circumstance lastViewedAt"
)


def uuid_of(value: Any, name: str) -> str:
    """Return a value that is a UUID v4; anything else is a bad request."""
    if not isinstance(value, str) or UUID.fullmatch(value) is None:
        raise Problem(400, "BAD_REQUEST", f"{name} must be a UUID v4", name)
    return value


def details(record: Record) -> dict[str, Any]:
    """Return a ticket as listings and reads show it: without tags and time of its last change."""
    assignee = record["assignee"] or {}
    return {
        "assigneeEmail": assignee.get("email"),
        "assigneeId": assignee.get("id"),
        "assigneeName": assignee.get("name"),
        "assigneePicture": None,
        "channelId": "00000000-0000-4000-8000-00000000bbbb",
        "channelName": "Website",
        "channelType": "widget",
        "chatId": record["chatId"],
        "chatIsRemoved": record["chatIsRemoved"],
        "chatOwnerId": record["chatOwnerId"],
        "completedAt": record["completedAt"],
        "createdAt": record["createdAt"],
        "id": record["id"],
        "isOwnerBlocked": None,
        "ongoingAt": record["ongoingAt"],
        "ownerEmail": record["ownerEmail"],
        "ownerEntity": "user" if record["ownerEmail"] else "externalUser",
        "ownerIdentifier": record["ownerIdentifier"],
        "ownerName": record["ownerName"],
        "pendingChatMessages": record["pendingChatMessages"],
        "responderEntity": "agent",
        "responderId": "00000000-0000-4000-8000-00000000cccc",
        "responderName": "Zaia",
        "responderPicture": None,
        "responderVersionId": None,
        "responderVersionNumber": None,
        "status": record["status"],
        "summary": record["summary"],
        "ticketingTeamId": record["ticketingTeamId"],
        "ticketingTeamName": None,
        "ticketingTeamPicture": None,
        "workspaceId": WORKSPACE,
    }


def entity(record: Record) -> dict[str, Any]:
    """Return a ticket as the answers to writes show it."""
    assignee = record["assignee"] or {}
    shown = {name: record[name] for name in _ENTITY.split()}
    return {**shown, "assigneeId": assignee.get("id"), "ticketingTeamId": record["ticketingTeamId"]}


def page(
    records: Sequence[Record],
    query: Mapping[str, str],
    many: Callable[[str], Sequence[str]],
    options: Mapping[str, Any],
    tags: Mapping[str, str],
    rng: random.Random,
) -> list[Record]:
    """Return one page of a listing.

    `many` gives all values of a repeated parameter, `tags` each tag's name by its id.
    """
    if query.get("status") not in options["statuses"]:
        allowed = ", ".join(options["statuses"])
        raise Problem(400, "BAD_REQUEST", f"status must be one of {allowed}", "status")
    number, size = _number(query, "pageNumber", 1), _number(query, "pageSize", 10)
    if number < 1 or not 1 <= size <= 100:
        raise Problem(400, "BAD_REQUEST", "pageNumber is 1 or more, pageSize 1 to 100", "pageSize")
    ids = {
        name: {uuid_of(value, name) for value in many(name)}
        for name in ("chatIds", "assigneeIds", "tagIds")
    }
    tag_names = {tags.get(tag_id) for tag_id in ids["tagIds"]} if options["tag_filter"] else set()
    rows = [row for row in records if _matches(row, query) and _is_among(row, ids, tag_names)]
    rows.sort(key=lambda row: row["updatedAt"], reverse=True)
    if options["shuffled"]:
        rng.shuffle(rows)
    return rows[size * (number - 1) : size * number]


def _matches(row: Record, query: Mapping[str, str]) -> bool:
    """Return whether a ticket has the status and the words, and its chat was not removed."""
    removed_too = query.get("includeRemoved") == "true"
    return (
        row["status"] == query["status"]
        and (removed_too or not row["chatIsRemoved"])
        and query.get("search", "").casefold() in row["summary"].casefold()
    )


def _is_among(row: Record, ids: Mapping[str, set[str]], tag_names: set[str | None]) -> bool:
    """Return whether a ticket is of one of the chats, assignees and tags that were asked for."""
    return (
        (not ids["chatIds"] or row["chatId"] in ids["chatIds"])
        and (not ids["assigneeIds"] or _assignee_id(row) in ids["assigneeIds"])
        and (not tag_names or bool(tag_names & set(row["tags"])))
    )


def fresh(rng: random.Random, given: Mapping[str, Any], now: str, status: str) -> dict[str, Any]:
    """Return the fields of a new ticket, with a chat of its own where none is given."""
    return {
        "id": random_uuid(rng),
        "chatId": given.get("chatId") or random_uuid(rng),
        "chatIsRemoved": False,
        "chatOwnerId": random_uuid(rng),
        "status": status,
        "summary": given.get("summary") or "",
        "assignee": None,
        "tags": [],
        "ticketingTeamId": given.get("ticketingTeamId"),
        "ownerEmail": given.get("ownerEmail"),
        "ownerIdentifier": given.get("ownerIdentifier"),
        "ownerName": given.get("ownerName"),
        "pendingChatMessages": 0,
        "circumstance": "handover",
        "createdAt": given.get("createdAt") or now,
        "updatedAt": given.get("createdAt") or now,
        "ongoingAt": None,
        "completedAt": None,
        "lastViewedAt": None,
    }


def _assignee_id(row: Record) -> str | None:
    return row["assignee"]["id"] if row["assignee"] else None


def _number(query: Mapping[str, str], name: str, usual: int) -> int:
    try:
        return int(query.get(name, usual))
    except ValueError:
        raise Problem(400, "BAD_REQUEST", f"{name} must be a number", name) from None
