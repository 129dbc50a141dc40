"""Zaia's two shapes of a ticket: the details row of listings and reads, and the entity that writes answer with."""

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
    """Take a UUID v4; anything else is a bad request."""
    if not isinstance(value, str) or UUID.fullmatch(value) is None:
        raise Problem(400, "BAD_REQUEST", f"{name} must be a UUID v4", name)
    return value


def details(record: Record) -> dict[str, Any]:
    """Show a ticket as listings and reads do: with names, without tags and without the time of its last change."""
    who = record["assignee"] or {}
    return {
        "assigneeEmail": who.get("email"),
        "assigneeId": who.get("id"),
        "assigneeName": who.get("name"),
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
    """Show a ticket as the answers to writes do."""
    who = record["assignee"] or {}
    shown = {name: record[name] for name in _ENTITY.split()}
    return {**shown, "assigneeId": who.get("id"), "ticketingTeamId": record["ticketingTeamId"]}


def page(
    records: Sequence[Record],
    query: Mapping[str, str],
    many: Callable[[str], Sequence[str]],
    options: Mapping[str, Any],
    tags: Mapping[str, str],
    rng: random.Random,
) -> list[Record]:
    """List one page. `many` gives all values of a repeated parameter, `tags` each tag's name by its id."""
    if query.get("status") not in options["statuses"]:
        raise Problem(
            400, "BAD_REQUEST", f"status must be one of {', '.join(options['statuses'])}", "status"
        )
    number, size = (
        _number(query, name, usual) for name, usual in (("pageNumber", 1), ("pageSize", 10))
    )
    if number < 1 or not 1 <= size <= 100:
        raise Problem(400, "BAD_REQUEST", "pageNumber is 1 or more, pageSize 1 to 100", "pageSize")
    rows = [row for row in records if row["status"] == query["status"]]
    if query.get("includeRemoved") != "true":
        rows = [row for row in rows if not row["chatIsRemoved"]]
    for name, column in (("chatIds", "chatId"), ("assigneeIds", "assignee")):
        wanted = {uuid_of(each, name) for each in many(name)}
        if wanted:
            rows = [row for row in rows if (_id(row[column]) in wanted)]
    wanted = {uuid_of(each, "tagIds") for each in many("tagIds")}
    if wanted and options["tag_filter"]:
        names = {tags.get(each) for each in wanted}
        rows = [row for row in rows if names & set(row["tags"])]
    if query.get("search"):
        rows = [row for row in rows if query["search"].casefold() in row["summary"].casefold()]
    rows.sort(key=lambda row: row["updatedAt"], reverse=True)
    if options["shuffled"]:
        rng.shuffle(rows)
    return rows[size * (number - 1) : size * number]


def fresh(rng: random.Random, given: Mapping[str, Any], now: str, status: str) -> dict[str, Any]:
    """Make the fields of a new ticket, with a chat of its own where none is given."""
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


def _id(value: Any) -> Any:
    return value.get("id") if isinstance(value, Mapping) else value


def _number(query: Mapping[str, str], name: str, usual: int) -> int:
    try:
        return int(query.get(name, usual))
    except ValueError:
        raise Problem(400, "BAD_REQUEST", f"{name} must be a number", name) from None
