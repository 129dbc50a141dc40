"""The line for a record that a reconciliation found to differ."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from bridge.operations.times import when

NO_FIELDS = {"new": "not known", "absent": "not listed", "owed": "left undone"}
"""What is said of differences that are about no field."""


class Differs(Protocol):
    """A record that differs, be it stored as drift or only reported."""

    @property
    def remote_id(self) -> str:
        """Return its identifier."""

    @property
    def kind(self) -> str:
        """Return how it differs."""

    @property
    def fields(self) -> list[str]:
        """Return the fields that differ."""

    @property
    def since(self) -> datetime | None:
        """Return when it was last known to be right."""

    @property
    def why(self) -> str:
        """Return why no webhook had told of it."""

    @property
    def healed_at(self) -> datetime | None:
        """Return when it was healed."""


def drift_line(found: Differs, *, with_healing: bool = True) -> str:
    """Return a difference as a line. Without healing it is not said whether it was healed."""
    fields = ", ".join(found.fields) or "its existence"
    what = NO_FIELDS.get(found.kind) or f"differs in {fields}"
    about = [f"last right {when(found.since)}"] if found.since else []
    about.append(found.why)
    if with_healing:
        about.append("healed" if found.healed_at else "not healed")
    return f"{found.remote_id}: {what} ({'; '.join(about)})"
