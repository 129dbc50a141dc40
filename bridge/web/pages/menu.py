"""The menu: pages in groups, a group in a row of its own below, so that it fits any screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flask import request, url_for

from bridge.operations.permissions import Permission
from bridge.web.pages import visitor


@dataclass(frozen=True, slots=True)
class MenuPage:
    """A page in the menu."""

    name: str
    endpoint: str
    permission: Permission = Permission.SEE
    also: tuple[str, ...] = ()
    """Blueprints besides its own whose pages belong to it."""

    @property
    def is_here(self) -> bool:
        """Return whether the present page belongs to it."""
        return request.blueprint in {self.endpoint.partition(".")[0], *self.also}

    @property
    def address(self) -> str:
        """Return where it is."""
        return url_for(self.endpoint)


@dataclass(frozen=True, slots=True)
class MenuGroup:
    """Pages that belong together; the first is where the group's name leads."""

    name: str
    pages: Sequence[MenuPage]

    @property
    def is_here(self) -> bool:
        """Return whether the present page belongs to one of its pages."""
        return any(page.is_here for page in self.pages)


PLAY: Final = MenuPage("Play a user", "play.listing", Permission.TEND_TICKETS)
"""There where the bridge runs against sandboxes."""
GROUPS: Final = (
    MenuGroup(
        "Work",
        (
            MenuPage("Overview", "overview.page"),
            MenuPage("Tickets", "tickets.listing"),
            MenuPage("Problems", "problems.listing"),
            MenuPage("Conflicts", "conflicts.listing"),
        ),
    ),
    MenuGroup(
        "Mappings",
        (
            MenuPage("Files", "mappings.listing", also=("drafts", "new_field", "rollback")),
            MenuPage("Values", "values.listing"),
            MenuPage("People", "people.listing"),
        ),
    ),
    MenuGroup(
        "Systems",
        (
            MenuPage("Connections", "connections.listing"),
            MenuPage("Calls", "calls.listing"),
            MenuPage("Events", "events.listing"),
            MenuPage("Runs", "runs.listing"),
            MenuPage("Drift", "drift.listing"),
            PLAY,
        ),
    ),
    MenuGroup(
        "Admin",
        (
            MenuPage("Settings", "settings.page"),
            MenuPage("Users", "users.listing", Permission.MANAGE_USERS),
            MenuPage("Tokens", "tokens.listing", Permission.MANAGE_USERS),
            MenuPage("Audit", "audit.listing", Permission.SEE_AUDIT),
        ),
    ),
)


def groups(*, plays: bool) -> list[MenuGroup]:
    """Return the groups with the pages that whoever looks may see.

    `plays`: the bridge runs against sandboxes.
    """
    return [
        MenuGroup(
            group.name,
            [
                page
                for page in group.pages
                if visitor.may(page.permission) and (plays or page is not PLAY)
            ],
        )
        for group in GROUPS
    ]
