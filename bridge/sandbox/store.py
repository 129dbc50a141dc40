"""Records of a sandbox: JSON objects, replaced and never changed, for the journal keeps them."""

from __future__ import annotations

import random
import uuid
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bridge.clock import Clock

Record = Mapping[str, Any]

LONGEST_LAG: Final = timedelta(minutes=1)
"""Older versions of a record are forgotten."""


class Store:
    """One collection of records, in the order in which they were made."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._records: dict[str, Record] = {}
        self._versions: dict[str, deque[tuple[datetime, Record]]] = {}
        self._seen_at = clock.now()
        self._set_back = timedelta(0)

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(list(self._records.values()))

    def get(self, record_id: str) -> Record | None:
        """Return a record, or None."""
        return self._records.get(record_id)

    def put(self, record: Record) -> None:
        """Add or replace a record by its `id`."""
        key, now = str(record["id"]), self._passed()
        self._records[key] = record
        versions = self._versions.setdefault(key, deque())
        versions.append((now, record))
        while len(versions) > 1 and versions[1][0] <= now - LONGEST_LAG:
            versions.popleft()

    def drop(self, record_id: str) -> None:
        """Forget a record for good."""
        self._records.pop(record_id, None)
        self._versions.pop(record_id, None)

    def before(self, lag: timedelta) -> list[Record]:
        """Return the records as an index has them that is behind by so much; new ones are missing.

        What was dropped is missing at once.
        """
        if not lag:
            return list(self)
        until = self._passed() - lag
        versions = (
            next((record for at, record in reversed(kept) if at <= until), None)
            for kept in self._versions.values()
        )
        return [record for record in versions if record is not None]

    def _passed(self) -> datetime:
        """Return the time by a clock that is never set back: what an index shows, it goes on to."""
        now = self._clock.now()
        self._set_back += max(timedelta(0), self._seen_at - now)
        self._seen_at = now
        return now + self._set_back


def difference(
    before: Record, after: Record, volatile: frozenset[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the old and the new values of the fields that differ, but for volatile ones."""
    names = [name for name in after if name not in volatile and before.get(name) != after[name]]
    return {name: before.get(name) for name in names}, {name: after[name] for name in names}


def seconds_iso(moment: datetime) -> str:
    """Write a time the way a second-resolution API does."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micros_iso(moment: datetime) -> str:
    """Write a time the way a microsecond-resolution API does."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def from_iso(text: str) -> datetime:
    """Read a time; one without an offset is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def random_uuid(rng: random.Random) -> str:
    """Return a version 4 UUID made with the randomness that is given."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def past(now: datetime, index: int, count: int) -> datetime:
    """Return when a record of a bulk import was made: over some days, five to a second."""
    return now.replace(microsecond=0) - timedelta(hours=1, minutes=7 * ((count - index) // 5))
