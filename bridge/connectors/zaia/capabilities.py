"""What a Zaia account is configured with, and what its tickets can do: no calls in here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.core.model.capabilities import EntityCapabilities, Support, Verb, Writable
from bridge.core.model.syncs import Connection
from bridge.errors import ConfigError

STATUSES = ("pending", "ongoing", "completed")
UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
READABLE = (
    "id chatId chatIsRemoved chatOwnerId channelId channelName channelType status summary createdAt ongoingAt "
    "completedAt assigneeId assigneeEmail assigneeName assigneePicture isOwnerBlocked ownerEmail ownerEntity "
    "ownerIdentifier ownerName pendingChatMessages responderEntity responderId responderName responderPicture "
    "responderVersionId responderVersionNumber ticketingTeamId ticketingTeamName ticketingTeamPicture workspaceId tags"
)
TAKEOVER, COMPLETE, ASSIGN, ATTACH, DETACH = "takeover", "complete", "assign", "attach", "detach"
SHORTEST_LIFE = 3
"""Waiting, worked on, done: fewer statuses leave nothing for takeover and complete to lead to."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The options of one connection, checked."""

    statuses: tuple[str, ...] = STATUSES
    service_user: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    """Name and UUID, in the order given."""
    tag_listing: bool = False

    @property
    def ongoing(self) -> str:
        """Give the status that a takeover leads to."""
        return self.statuses[-2]

    @property
    def done(self) -> str:
        """Give the status that completing leads to."""
        return self.statuses[-1]

    def rank(self, status: Any) -> int:
        """Give the place in the lifecycle; -1 for a word that is none of the configured ones."""
        return self.statuses.index(status) if status in self.statuses else -1


def facts(connection: Connection) -> Facts:
    """Read a connection's options. Raises ConfigError with everything that is wrong with them."""
    given, wrong = connection.options, list[str]()
    statuses = given.get("statuses", list(STATUSES))
    words = isinstance(statuses, list | tuple) and all(
        isinstance(each, str) and each.strip() for each in statuses
    )
    if not words or len(set(statuses)) < SHORTEST_LIFE or len(set(statuses)) != len(statuses):
        wrong.append(
            "statuses: must list three different words or more, in the order of a ticket's life"
        )
    user = given.get("service_user", "")
    if user != "" and not _uuid(user):
        wrong.append(
            "service_user: is no UUID; allowed the id of the Zaia user under whose name the bridge works"
        )
    tags = given.get("tags", {})
    if not isinstance(tags, Mapping) or not all(
        isinstance(name, str) and name.strip() for name in tags
    ):
        wrong.append("tags: must be a mapping of tag names to their UUIDs")
        tags = {}
    wrong += [
        f"tags.{name}: is no UUID; allowed the tag's id"
        for name, each in tags.items()
        if not _uuid(each)
    ]
    listing = given.get("tag_listing", False)
    if not isinstance(listing, bool):
        wrong.append("tag_listing: allowed true, false")
    if wrong:
        raise ConfigError([f"connections.{connection.name}.{each}" for each in wrong])
    return Facts(tuple(statuses), user, tuple(tags.items()), tag_listing=listing)


def capabilities(facts: Facts) -> dict[str, EntityCapabilities]:
    """Give what tickets can do where the statuses are called so."""
    ticket = EntityCapabilities(
        readable=frozenset(READABLE.split()),
        writable={
            "chatId": Writable(on_update=Support.NO, clears=False, required=True),
            "ticketingTeamId": Writable(on_update=Support.NO, clears=False),
            "assigneeId": Writable(clears=False),
            "status": Writable(clears=False, default=facts.statuses[0], forward=facts.statuses),
            "tags": Writable(on_create=False),
        },
        verbs=(
            Verb(TAKEOVER, ("status", "assigneeId"), only_for={"status": (facts.ongoing,)}),
            Verb(COMPLETE, ("status",), only_for={"status": (facts.done,)}),
            Verb(ASSIGN, ("assigneeId",)),
            Verb(ATTACH, ("tags",), element="add"),
            Verb(DETACH, ("tags",), element="remove"),
        ),
        # A ticket needs a chat, and no canonical field holds one: see `ZaiaConnector.create`.
        creates=Support.NO,
        # No `values`: the words are each deployment's own, so that no table could be proved
        # complete for all.
        dated=False,
        swept=frozenset({"tags"}),
    )
    return {"ticket": ticket}


def _uuid(value: Any) -> bool:
    return isinstance(value, str) and UUID.fullmatch(value) is not None
