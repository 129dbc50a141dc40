"""The overview for many who look at once: it is found out once in a while, for all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock
from typing import Final

from bridge.operations import status
from bridge.operations.desk import Desk
from bridge.operations.status import Overview

KEPT: Final = timedelta(seconds=2)
"""Less than the time after which an open page asks again."""


@dataclass(slots=True)
class RecentOverview:
    """The latest overview, of all who share this; ten open pages cost what one does."""

    _found: Overview | None = None
    _turn: Lock = field(default_factory=Lock)

    def current(self, desk: Desk) -> Overview:
        """Return an overview that is no older than KEPT."""
        with self._turn:
            if self._found is None or not timedelta() <= desk.now() - self._found.at < KEPT:
                self._found = status.overview(desk)
            return self._found

    def forget(self) -> None:
        """Have the next one found out anew, whoever asks."""
        with self._turn:
            self._found = None
