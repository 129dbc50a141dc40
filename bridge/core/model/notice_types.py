"""Notices: what the bridge tells other programs, by webhooks of its own; each kind and its content.

Content is ids, codes, counts and the names that the files give to connections and syncs. Nothing of
a person, no text of a vendor's and no secret is ever in it: a notice may end up in a chat.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from bridge.core.model.syncs import Secret

SAMPLES: Final = 5
"""So many tickets of a notice are named."""


class NoticeType(StrEnum):
    """What a notice is about. Programs go by it, so none ever changes."""

    PARKED = "work.parked"
    CONFLICT = "conflict.opened"
    BEHIND = "ticket.behind"
    CAUGHT_UP = "ticket.caught_up"
    STOPPED = "connection.stopped"
    RECOVERED = "connection.recovered"
    RUN_FINISHED = "run.finished"
    RUN_FAILED = "run.failed"
    DRIFT = "drift.found"
    VALUE = "value.unknown"
    TEST = "notice.test"


ALL: Final = "*"
PATTERNS: Final = (
    ALL,
    *dict.fromkeys(f"{each.partition('.')[0]}.{ALL}" for each in NoticeType),
    *NoticeType,
)
"""What an endpoint may name of them: all, all that begin alike, or one."""


@dataclass(frozen=True, slots=True)
class ParkedNotice:
    """Work was set aside and waits for a human."""

    code: str
    """The outcome code of the cause."""
    meaning: str
    """The cause in words."""
    do: str
    """What to do about it."""
    connection: str
    count: int
    """Pieces of work that were set aside since the last notice of this cause."""
    waiting: int
    """Pieces that are set aside with this code at this connection, those included."""
    since: datetime
    """When the first of `count` was set aside."""
    tickets: list[str]
    """The bridge's ids of a few of the tickets."""
    page: str | None
    """Where the pages show it; null where `pages_url` is not configured."""


@dataclass(frozen=True, slots=True)
class ConflictNotice:
    """A field was edited on several sides, and a human has to decide."""

    code: str
    sync: str
    field: str
    """The field in the bridge's own words."""
    count: int
    """Conflicts that were opened since the last notice of this field."""
    waiting: int
    """Conflicts of this field that are open, those included."""
    since: datetime
    tickets: list[str]
    page: str | None


@dataclass(frozen=True, slots=True)
class BehindNotice:
    """Tickets have waited for long to be brought level at a connection."""

    connection: str
    count: int
    """Tickets."""
    since: datetime
    """Since when the first of them waits."""
    longer_than: int
    """Seconds; who waits for less is not counted."""
    tickets: list[str]
    page: str | None


@dataclass(frozen=True, slots=True)
class CaughtUpNotice:
    """No ticket waits for long at a connection any more."""

    connection: str
    page: str | None


@dataclass(frozen=True, slots=True)
class StoppedNotice:
    """A connection is not called any more, or every call to it fails."""

    connection: str
    state: str
    """`stopped` (its key is refused), `paused` (by an operator), `failing`."""
    code: str
    meaning: str
    do: str
    since: datetime
    page: str | None


@dataclass(frozen=True, slots=True)
class RecoveredNotice:
    """A connection that was stopped, paused or failing is called again."""

    connection: str
    page: str | None


@dataclass(frozen=True, slots=True)
class RunNotice:
    """A run is over."""

    run: str
    """Its number, as text."""
    kind: str
    connection: str
    """Empty: it is about no single one."""
    entity: str
    outcome: str
    """`done`, `failed`, or `stopped` (by an admin)."""
    code: str
    """The outcome code; empty: it went well."""
    started_at: datetime
    finished_at: datetime
    seen: int
    """Rows that it has looked at."""
    page: str | None


@dataclass(frozen=True, slots=True)
class DriftNotice:
    """A comparison found records that differed from what the bridge knew."""

    run: str
    kind: str
    connection: str
    entity: str
    count: int
    """Records that differed."""
    missed: int
    """Of those, how many a webhook should have told of, and none came."""
    page: str | None


@dataclass(frozen=True, slots=True)
class UnknownValueNotice:
    """Records show a value that the mapping cannot read. The value itself is on the page."""

    code: str
    connection: str
    entity: str
    field: str
    """The field in the bridge's own words."""
    values: int
    """Values that were not told of before."""
    records: int
    """Records that show one of them."""
    page: str | None


@dataclass(frozen=True, slots=True)
class TestNotice:
    """Somebody asked for a test."""

    endpoint: str


NOTICE_CONTENT: Final[Mapping[NoticeType, type[Any]]] = {
    NoticeType.PARKED: ParkedNotice,
    NoticeType.CONFLICT: ConflictNotice,
    NoticeType.BEHIND: BehindNotice,
    NoticeType.CAUGHT_UP: CaughtUpNotice,
    NoticeType.STOPPED: StoppedNotice,
    NoticeType.RECOVERED: RecoveredNotice,
    NoticeType.RUN_FINISHED: RunNotice,
    NoticeType.RUN_FAILED: RunNotice,
    NoticeType.DRIFT: DriftNotice,
    NoticeType.VALUE: UnknownValueNotice,
    NoticeType.TEST: TestNotice,
}
"""Kind of notice -> what its `data` holds."""


@dataclass(frozen=True, slots=True)
class NoticeEndpoint:
    """An address that gets notices, as `config/bridge.yaml` declares it."""

    name: str
    url: Secret
    """It may hold a token, so that it counts as a secret."""
    secrets: tuple[Secret, ...]
    """Each signs: a receiver takes a notice that one of its own secrets proves."""
    events: tuple[str, ...] = (ALL,)
    connections: frozenset[str] = field(default=frozenset())
    """Only what is about one of these; none: of whichever."""
    syncs: frozenset[str] = field(default=frozenset())

    def wants(self, kind: NoticeType, connections: Collection[str], syncs: Collection[str]) -> bool:
        """Return whether it is to be told of something that is about these."""
        named = {ALL, f"{kind.partition('.')[0]}.{ALL}", str(kind)}
        return (
            not named.isdisjoint(self.events)
            and (not self.connections or not self.connections.isdisjoint(connections))
            and (not self.syncs or not self.syncs.isdisjoint(syncs))
        )
