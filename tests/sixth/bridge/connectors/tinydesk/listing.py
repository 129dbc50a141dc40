"""How Tinydesk's listing is walked: by the counter of the whole desk, the oldest change first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.connectors.parsing import Row, object_rows
from bridge.http.caller import Answer


@dataclass(frozen=True, slots=True)
class ItemsOfPage:
    """Some items of the listing."""

    rows: list[Row]
    answer: Answer
    last: int
    """The counter of the newest change that was seen."""


class TinydeskListing:
    """The listing of one connection."""

    def __init__(self, connection: str, call: Callable[[Mapping[str, Any]], Answer]) -> None:
        self.connection = connection
        self._call = call

    def after(self, counter: int) -> ItemsOfPage:
        """Return the items that were changed after this count."""
        answer = self._call({"after": counter})
        rows = object_rows(self.connection, answer, "items")
        last = max((row["changed"] for row in rows), default=counter)
        return ItemsOfPage(rows, answer, last)

    def where(self, name: str, value: Any) -> ItemsOfPage:
        """Return the items with this value."""
        answer = self._call({name: value})
        return ItemsOfPage(object_rows(self.connection, answer, "items"), answer, 0)
