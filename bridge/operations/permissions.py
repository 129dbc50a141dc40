"""Who may do what: one table, which pages, API and command line share."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from bridge.core.model.roles import Role

__all__ = ["GRANTED", "Permission", "Role", "may"]


class Permission(StrEnum):
    """Something that not everybody may do."""

    SEE = "see"
    """Look at whatever is not personal: tickets, runs, connections, mappings."""
    SEE_PERSONAL = "see personal values"
    """See them also where they are masked."""
    SEE_AUDIT = "see the audit"
    TEND_TICKETS = "tend tickets"
    """Read again, pause, resume, detach, relink, decide conflicts, free or discard parked work."""
    TEND_CONNECTIONS = "tend connections"
    """Pause and resume them, start comparisons."""
    CHANGE_MAPPINGS = "change mappings"
    """Publish, roll back, accept values."""
    WRITE_MANY = "write many"
    """Import, apply and undo: what writes to any number of tickets."""
    ERASE = "erase"
    """Forget a person."""
    MANAGE_USERS = "manage users"


_EVERYBODY: Final = frozenset(Role)
_OPERATORS: Final = frozenset({Role.OPERATOR, Role.MAPPER, Role.ADMIN})
_MAPPERS: Final = frozenset({Role.MAPPER, Role.ADMIN})
_ADMINS: Final = frozenset({Role.ADMIN})

GRANTED: Final[Mapping[Permission, frozenset[Role]]] = {
    Permission.SEE: _EVERYBODY,
    Permission.SEE_PERSONAL: _OPERATORS,
    Permission.SEE_AUDIT: _OPERATORS,
    Permission.TEND_TICKETS: _OPERATORS,
    Permission.TEND_CONNECTIONS: _OPERATORS,
    Permission.CHANGE_MAPPINGS: _MAPPERS,
    Permission.WRITE_MANY: _MAPPERS,
    Permission.ERASE: _ADMINS,
    Permission.MANAGE_USERS: _ADMINS,
}
"""Permission -> the roles that have it."""


def may(role: Role, permission: Permission) -> bool:
    """Return whether somebody of this role may do it."""
    return role in GRANTED[permission]
