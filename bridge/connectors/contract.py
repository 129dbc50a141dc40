"""The contract that every connector keeps: what the bridge asks of a vendor's API, and what it gets back.

Terms: a *record* is one of the vendor's JSON objects with our own markers stripped; a *hint* says
that a record may have changed; a *marker* is a token of ours that is planted in a record we create
so that it can be found again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from bridge.core.model.capabilities import EntityCapabilities
from bridge.core.model.syncs import Connection, Webhook
from bridge.core.model.values import Raw, Ref
from bridge.errors import Unsupported


@dataclass(frozen=True, slots=True)
class Person:
    """An agent as a connection shows one: its own name for the person, and who that is."""

    id: Raw
    email: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One record as read. All times are aware UTC and in *our* clock (corrected by the answer's Date header)."""

    ref: Ref
    data: Mapping[str, Any]
    read_at: datetime
    """When the request that fetched it was sent."""
    changed_before: datetime | None = None
    """Upper bound of the vendor's last change (updated_at + skew + resolution); None if it dates nothing."""
    marker: str | None = None
    """Our own marker, if the record carries one (it is stripped from `data`)."""
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Top-level names whose value must not be believed, and why (an empty `tags` without a licence)."""
    partial: bool = False
    """A listing row that lacks fields which a direct read has: absent, not null."""
    proved: frozenset[str] = frozenset()
    """Answers to a write only: keys that the record does not show, but that certainly were written as sent."""
    people: tuple[Person, ...] = ()
    """Agents whom the record shows together with their e-mail addresses: the directory learns from them."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing. `cursor` is opaque, JSON, and resumes after this page; None when it was the last."""

    records: Sequence[Record]
    cursor: Any | None


@dataclass(frozen=True, slots=True)
class Hint:
    """A record may have changed."""

    entity: str
    id: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a webhook says: hints, or the reason for which it is ignored."""

    hints: tuple[Hint, ...]
    event: str
    ignored: str = ""
    delivery: str = ""
    """The vendor's delivery id (signed, or scoped by event and record); empty: use the body's hash."""
    projection: Mapping[str, Any] = field(default_factory=dict)
    """The few harmless fields worth keeping in the inbox: ids and event names, no personal data."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A record to be created: values by write key, in the system's own space."""

    entity: str
    values: Mapping[str, Raw]
    marker: str
    """`[a-z0-9-]{1,40}`, unique to the intent."""


@dataclass(frozen=True, slots=True)
class Intent:
    """A create whose fate is looked up; `sent_at` is None when it has not been sent (first contact)."""

    draft: Draft
    sent_at: datetime | None


class Connector(ABC):
    """One system. Every remote method may raise the `RemoteError` family of bridge.errors and nothing else.

    Reads have no side effects at the vendor. Methods are thread-safe (several workers' threads
    share an instance).
    """

    NAME: ClassVar[str]
    CAPABILITIES: ClassVar[Mapping[str, EntityCapabilities]]
    EVENTS: ClassVar[Mapping[str, str]] = {}
    """Vendor's event name -> entity."""
    IGNORED: ClassVar[frozenset[str]] = frozenset()
    """Known events that we do not want."""
    SIGNING: ClassVar[Webhook | None] = None
    """The system's usual signature scheme (no secrets): defaults for the connection's `webhook`."""
    CREDENTIALS: ClassVar[frozenset[str]] = frozenset({"api_key"})
    OPTIONS: ClassVar[Mapping[str, str]] = {}
    """Option name -> what it is; names in REQUIRED_OPTIONS must be given."""
    REQUIRED_OPTIONS: ClassVar[frozenset[str]] = frozenset()
    BACKOFF: ClassVar[float] = 0.5
    """Seconds to wait after the first answer 429 that names no time; each further one in a row doubles them."""
    ACTIONS: ClassVar[Mapping[str, str]] = {}
    """What an operator may do by hand, and no sync ever does: name -> what it is."""
    ERASES: ClassVar[frozenset[str]] = frozenset()
    """Entities whose `delete` erases a person for good, as documented: `bridge forget` may call it when told to."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @abstractmethod
    def parse(self, headers: Mapping[str, str], body: Any) -> Parsed:
        """Read a verified webhook. Pure; header names are lower-case. Raises Malformed, naming what is wrong."""

    @abstractmethod
    def read(self, entity: str, ids: Sequence[str]) -> dict[str, Record | None]:
        """Read present records, at most `read_batch` ids a call; None: the vendor says there is no such record."""

    @abstractmethod
    def changed(self, entity: str, cursor: Any | None) -> Page:
        """Give records changed since the cursor's watermark (None: as far back as there is), overlapping safely.

        Rows may repeat and come out of order; none that changed before the listing began is missed.
        The last page's cursor is *not* None: it is the watermark for the next poll, taken from rows
        seen. A page with no records ends the poll.
        """

    @abstractmethod
    def scan(self, entity: str, cursor: Any | None) -> Page:
        """List everything, page by page; `cursor` None starts, a page whose cursor is None was the last."""

    def create(self, draft: Draft) -> Record | None:
        """Create once, never retried in here. None: created but the answer did not show the record (find it)."""
        raise Unsupported(f"{self.NAME} cannot create a {draft.entity}")

    def find(self, intent: Intent) -> list[Record]:
        """Give the records that carry the intent's marker, and those that could naturally be the same thing."""
        raise Unsupported(f"{self.NAME} cannot look up a {intent.draft.entity}")

    def update(self, ref: Ref, verb: str, values: Mapping[str, Raw]) -> Record | None:
        """Make one call that changes a record. None: the answer did not show the record (read it once)."""
        raise Unsupported(f"{self.NAME} cannot change a {ref.entity} by {verb} of {sorted(values)}")

    def delete(self, ref: Ref) -> None:
        """Delete; already gone counts as done."""
        raise Unsupported(f"{self.NAME} cannot delete a {ref.entity}")

    def account_metrics(self) -> Mapping[str, float]:
        """Give the account's own figures worth showing (`unread_tickets`), by one cheap read without side effects."""
        return {}

    def perform_action(self, action: str, arguments: Mapping[str, str]) -> str:
        """Carry out one of ACTIONS for an operator, never retried; gives what is shown to them once, and never kept."""
        raise Unsupported(f"{self.NAME} has no action {action} ({', '.join(sorted(arguments))})")

    def find_person(self, entity: str, email: str) -> Sequence[Record]:
        """Give the records that are this person's and nobody else's, for one of ERASES."""
        raise Unsupported(
            f"{self.NAME} cannot look for a {entity} by e-mail address ({len(email)} characters)"
        )

    @abstractmethod
    def probe(self) -> dict[str, Any]:
        """Find out what this deployment can do, without writing: names of probed capabilities -> what was seen."""

    @abstractmethod
    def ping(self) -> str:
        """Make the cheapest authenticated read; return a line for people. Raises as any other call."""
