"""What somebody may be to the bridge; `operations/permissions.py` says what each may do."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What somebody is to the bridge."""

    VIEWER = "viewer"
    """Sees everything, changes nothing."""
    OPERATOR = "operator"
    """Clears what went wrong: tickets, parked work, conflicts, connections."""
    MAPPER = "mapper"
    """Decides what travels: mappings, imports, undoing."""
    ADMIN = "admin"
    """All of it, and who may do what."""
