"""Zaia's API, call by call, as "API Reference (alpha): Tickets" has it.

The values of `status` are an enumeration of which the page shows no member; an option has them. Its
calls on tags of the workspace are of another page, in the OpenAPI text that belongs to it.
"""

from __future__ import annotations

from typing import Final

from bridge.sandbox.documented_calls import (
    CallTable,
    DocumentedCall,
    Shown,
    Source,
    Values,
    flag,
    list_of,
    nothing,
    text,
    uuid4,
    whole,
)

_DETAILS = (
    "assigneeEmail", "assigneeId", "assigneeName", "assigneePicture", "channelId", "channelName",
    "channelType", "chatId", "chatIsRemoved", "chatOwnerId", "completedAt", "createdAt", "id",
    "isOwnerBlocked", "ongoingAt", "ownerEmail", "ownerEntity", "ownerIdentifier", "ownerName",
    "pendingChatMessages", "responderEntity", "responderId", "responderName", "responderPicture",
    "responderVersionId", "responderVersionNumber", "status", "summary", "ticketingTeamId",
    "ticketingTeamName", "ticketingTeamPicture", "workspaceId",
)  # fmt: skip
_ENTITY = (
    "createdAt", "id", "updatedAt", "assigneeId", "chatId", "circumstance", "completedAt",
    "lastViewedAt", "ongoingAt", "status", "summary", "ticketingTeamId",
)  # fmt: skip
_WRITTEN = {200: Shown("", _ENTITY)}
_ONE_OR_MORE = uuid4 | list_of(uuid4)
_TAG: dict[str, Values] = {"name": text, "description": text, "color": text}

CALLS: Final = CallTable(
    (
        DocumentedCall(
            "GET",
            "/api/v1/tickets/<ticket_id>/details",
            "get_ticket",
            answers={200: Shown("", _DETAILS)},
        ),
        DocumentedCall(
            "GET",
            "/api/v1/tickets/details",
            "list_tickets",
            query={
                "assigneeIds": _ONE_OR_MORE,
                "chatIds": _ONE_OR_MORE,
                "includeRemoved": flag,
                "pageNumber": whole(1),
                "pageSize": whole(1, 100),
                "responderIds": _ONE_OR_MORE,
                "responderVersionIds": _ONE_OR_MORE,
                "search": text,
                "status": text,
                "tagIds": _ONE_OR_MORE,
            },
            required=("status",),
            answers={200: Shown("[]", _DETAILS)},
        ),
        DocumentedCall(
            "PATCH",
            "/api/v1/tickets/<ticket_id>/complete",
            "complete",
            body={"userId": uuid4},
            required=("userId",),
            answers=_WRITTEN,
        ),
        DocumentedCall(
            "POST",
            "/api/v1/tickets",
            "create_ticket",
            body={
                "chatId": uuid4,
                "ticketingTeamId": uuid4 | nothing,
                "assigneeId": uuid4,
                "status": text,
            },
            required=("chatId", "ticketingTeamId", "assigneeId", "status"),
            answers=_WRITTEN,
        ),
        DocumentedCall(
            "POST",
            "/api/v1/tickets/<ticket_id>/tags",
            "attach",
            body={"tagId": uuid4},
            required=("tagId",),
            answers={200: Shown("", ("createdAt", "updatedAt", "tagId", "ticketId"))},
        ),
        DocumentedCall(
            "DELETE",
            "/api/v1/tickets/<ticket_id>/tags/<tag_id>",
            "detach",
            answers={200: Shown("", ("message",))},
        ),
        DocumentedCall(
            "PATCH",
            "/api/v1/tickets/<ticket_id>/takeover",
            "takeover",
            body={"assigneeId": uuid4},
            required=("assigneeId",),
            answers=_WRITTEN,
        ),
        DocumentedCall(
            "PATCH",
            "/api/v1/tickets/<ticket_id>/assignee",
            "assign",
            body={"assigneeId": uuid4},
            required=("assigneeId",),
            answers=_WRITTEN,
        ),
        DocumentedCall(
            "GET",
            "/api/v1/tags",
            "list_tags",
            query={"pageNumber": whole(1), "pageSize": whole(1, 100)},
            source=Source.LATER,
            option="tag_listing",
        ),
        DocumentedCall(
            "POST",
            "/api/v1/tags",
            "create_tag",
            body=_TAG,
            required=tuple(_TAG),
            source=Source.LATER,
            option="tag_listing",
        ),
    )
)
