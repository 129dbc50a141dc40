"""Facts of Zaia's API reference, the options of a connection, and what tickets can do by both.

The reference is the page on tickets of https://docs.zaia.app, API reference (alpha), read in
2026-11. The words of a status are not printed there, so that a deployment's own are configured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bridge.connectors.parsing import is_uuid
from bridge.core.model.capabilities import EntityCapabilities, Probe, Support, Verb, Writable
from bridge.core.model.syncs import Connection
from bridge.errors import ConfigError

TICKET = "ticket"
TICKETS_PATH = "/api/v1/tickets"
LISTING_PATH = f"{TICKETS_PATH}/details"
TAGS_PATH = "/api/v1/tags"
"""Not in the reference; see github.com/mindcloud-inc/universal-api-reference (read 2026-11)."""

STATUSES = ("pending", "ongoing", "completed")
"""The usual words: `ongoingAt`, `completedAt` and `/complete` suggest them."""
MIN_STATUSES = 3
"""Waiting, worked on, done: fewer leave nothing for takeover and complete to lead to."""

READABLE = (
    "id chatId chatIsRemoved chatOwnerId channelId channelName channelType status summary "
    "createdAt ongoingAt completedAt assigneeId assigneeEmail assigneeName assigneePicture "
    "isOwnerBlocked ownerEmail ownerEntity ownerIdentifier ownerName pendingChatMessages "
    "responderEntity responderId responderName responderPicture responderVersionId "
    "responderVersionNumber ticketingTeamId ticketingTeamName ticketingTeamPicture workspaceId tags"
)
TAKEOVER, COMPLETE, ASSIGN, ATTACH, DETACH = "takeover", "complete", "assign", "attach", "detach"

OPTIONS: Mapping[str, str] = {
    "statuses": (
        "the deployment's status words, in the order of a ticket's life "
        "(pending, ongoing, completed)"
    ),
    "service_user": (
        "UUID of the Zaia user who takes over and completes what nobody is assigned to"
    ),
    "tags": "tag names and their UUIDs",
    "tag_listing": (
        "true where the deployment answers GET /api/v1/tags: names and UUIDs are learnt there"
    ),
}
REQUIRED_OPTIONS = frozenset(("service_user",))


@dataclass(frozen=True, slots=True)
class ZaiaOptions:
    """The options of one connection, checked."""

    statuses: tuple[str, ...] = STATUSES
    service_user: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    """Name and UUID, in the order given."""
    tag_listing: bool = False

    @property
    def ongoing(self) -> str:
        """Return the status that a takeover leads to."""
        return self.statuses[-2]

    @property
    def done(self) -> str:
        """Return the status that completing leads to."""
        return self.statuses[-1]

    def rank(self, status: Any) -> int:
        """Return the place in a ticket's life; -1 for a word that is not configured."""
        return self.statuses.index(status) if status in self.statuses else -1


def read_options(connection: Connection) -> ZaiaOptions:
    """Read a connection's options. Raises ConfigError with everything that is wrong with them."""
    given = connection.options
    statuses = given.get("statuses", list(STATUSES))
    user = given.get("service_user", "")
    tags = given.get("tags", {})
    tag_listing = given.get("tag_listing", False)
    problems = [
        *_status_problems(statuses),
        *_user_problems(user),
        *_tag_problems(tags),
        *([] if isinstance(tag_listing, bool) else ["tag_listing: allowed true, false"]),
    ]
    if problems:
        raise ConfigError([f"connections.{connection.name}.{problem}" for problem in problems])
    return ZaiaOptions(tuple(statuses), user, tuple(tags.items()), tag_listing=tag_listing)


def capabilities(options: ZaiaOptions) -> dict[str, EntityCapabilities]:
    """Return what tickets can do where the statuses are called so."""
    ticket = EntityCapabilities(
        readable=frozenset(READABLE.split()),
        writable={
            "chatId": Writable(on_update=Support.NO, clears=False, required=True),
            "ticketingTeamId": Writable(on_update=Support.NO, clears=False),
            # Nobody can be unassigned, and a status never moves back.
            "assigneeId": Writable(clears=False),
            "status": Writable(clears=False, default=options.statuses[0], forward=options.statuses),
            "tags": Writable(on_create=False),
        },
        verbs=(
            Verb(TAKEOVER, ("status", "assigneeId"), only_for={"status": (options.ongoing,)}),
            Verb(COMPLETE, ("status",), only_for={"status": (options.done,)}),
            Verb(ASSIGN, ("assigneeId",)),
            Verb(ATTACH, ("tags",), element="add"),
            Verb(DETACH, ("tags",), element="remove"),
        ),
        # A ticket needs a chat, and no canonical field holds one: see `ZaiaConnector.create`.
        creates=Support.NO,
        # No `values`: the words are each deployment's own, so that no table could be proved
        # complete for all. Where a connection names them, `of_connection` adds them.
        dated=False,
        only_listed=frozenset({"tags"}),
    )
    return {TICKET: ticket}


CAPABILITIES: Mapping[str, EntityCapabilities] = capabilities(ZaiaOptions())


def of_connection(connection: Connection) -> dict[str, EntityCapabilities]:
    """Return what tickets can do at a connection, which may say what its statuses are called.

    Where its options have problems the usual words are taken: the problems are told elsewhere.
    """
    try:
        options = read_options(connection)
    except ConfigError:
        options = ZaiaOptions()
    able = capabilities(options)
    if "statuses" not in connection.options:
        return able
    return {TICKET: replace(able[TICKET], values={"status": options.statuses})}


def _status_problems(statuses: Any) -> list[str]:
    words = isinstance(statuses, list | tuple) and all(_is_word(word) for word in statuses)
    if words and MIN_STATUSES <= len(set(statuses)) == len(statuses):
        return []
    return ["statuses: must list three different words or more, in the order of a ticket's life"]


def _user_problems(user: Any) -> list[str]:
    if user == "" or is_uuid(user):
        return []
    allowed = "the id of the Zaia user under whose name the bridge works"
    return [f"service_user: is no UUID; allowed {allowed}"]


def _tag_problems(tags: Any) -> list[str]:
    if not isinstance(tags, Mapping) or not all(_is_word(name) for name in tags):
        return ["tags: must have rows of the name of a tag and its UUID"]
    return [
        f"tags.{name}: is no UUID; allowed the tag's id"
        for name, tag_id in tags.items()
        if not is_uuid(tag_id)
    ]


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


PROBES = (
    Probe("GET /api/v1/tags", "in the OpenAPI text beside the page; asked for where configured"),
)
