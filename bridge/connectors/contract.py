"""The contract of a connector: what the bridge asks of a vendor's API, and what it gets back.

This page is for whoever writes a connector. The words in it:

- A *record* is one of the vendor's JSON objects, with our own marker taken out.
- A *hint* says that a record may have changed. It is never believed: the record is read.
- A *marker* is a token of ours, planted in a record that we create so that it can be found again.
- A *write key* is the plain path under which a value is sent (`status`, `assignee_id`).
- A *cursor* is any JSON value. Only the connector that gave it reads it, perhaps in another
  process.

Times are aware and in UTC; durations are `timedelta` or seconds. Entities are those of
`bridge.core.model.entities`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Protocol

from bridge.core.model.capabilities import EntityCapabilities, Probe
from bridge.core.model.clocks import NOT_LEARNT, ClocksApart
from bridge.core.model.markers import Markers
from bridge.core.model.syncs import Connection, Webhook
from bridge.core.model.values import Raw, Ref
from bridge.errors import Unsupported


@dataclass(frozen=True, slots=True)
class Person:
    """An agent as a connection shows one: its own name for the person, and who that is."""

    id: Raw
    """What the vendor's records say for this person."""
    email: str
    name: str = ""


class Record(NamedTuple):
    """One record as it was read. `data` has the vendor's own times; the others are in our clock.

    A tuple for speed: a listing has many.
    """

    ref: Ref
    data: Mapping[str, Any]
    """The vendor's fields in the vendor's words. A field that was not shown is absent, not null."""
    read_at: datetime
    """When the request that fetched it was sent."""
    changed_before: datetime | None = None
    """The vendor last changed it at this time or before: the time that it shows, plus the clocks'
    difference, plus the resolution of that time. None where it dates nothing."""
    marker: str | None = None
    """Our own marker, if the record carries one, or what stands for it: see `Connector.markers`."""
    unreadable: Mapping[str, str] = MappingProxyType({})
    """Top-level names whose value must not be believed, and why: `tags` that are empty for want of
    a licence."""
    partial: bool = False
    """The row of a listing that lacks fields which a direct read has."""
    proved: frozenset[str] = frozenset()
    """In the answer to a write: keys that the record does not show, but that were written as sent
    for certain."""
    people: tuple[Person, ...] = ()
    """Agents whom the record shows with their e-mail addresses: the directory learns them."""
    handle: str = ""
    """What the vendor finds the record by where its id does not serve (a ticket's number).

    The ledger keeps it with the record, and `Connector.handles` gives it back.
    """
    clocks: ClocksApart = NOT_LEARNT
    """How far our clock is ahead of the one that the times in `data` are of: the answer's."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing."""

    records: Sequence[Record]
    cursor: Any | None
    """Resumes after this page; None when it was the last (for `changed`, see there)."""


@dataclass(frozen=True, slots=True)
class Hint:
    """A record may have changed."""

    entity: str
    id: str
    handle: str = ""
    """See `Record.handle`. Like all that a webhook says it may be a lie, which costs one call."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a webhook says: hints, or the reason for which it is ignored."""

    hints: tuple[Hint, ...]
    event: str
    """The vendor's own name for what happened."""
    ignored: str = ""
    """The reason, in words for an operator; empty when there are hints."""
    delivery: str = ""
    """The vendor's delivery id, by which a repetition is known. It must be signed, or hold event
    and record as well, lest one be passed off as another. Empty: the body's hash serves."""
    projection: Mapping[str, Any] = field(default_factory=dict)
    """The few harmless fields that the inbox keeps: ids and event names, no personal data."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A record to be created."""

    entity: str
    values: Mapping[str, Raw]
    """By write key, in the system's own words."""
    marker: str
    """`[a-z0-9-]{1,40}`, unique to this create."""


@dataclass(frozen=True, slots=True)
class Intent:
    """A create whose record is looked for: has it happened, or was the record there before."""

    draft: Draft
    sent_at: datetime | None
    """When the create was sent; None: it was not, and a record made by others is looked for."""


class Handles(Protocol):
    """What is known of the handles of a connection's records; see `Record.handle`."""

    def __call__(self, entity: str, ids: Collection[str], /) -> Mapping[str, str]:
        """Return the known ones by id."""


def no_handles(entity: str, ids: Collection[str], /) -> Mapping[str, str]:  # noqa: ARG001
    """Know none."""
    return {}


class Findings(Protocol):
    """What was found out about how this deployment does things, kept for all workers."""

    def known(self) -> Mapping[str, bool]:
        """Return all findings by name."""

    def keep(self, name: str, why: str) -> None:
        """Keep that something is so. To keep it twice does no harm."""


class OwnFindings:
    """Findings of one connector alone, as long as it lives."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def known(self) -> Mapping[str, bool]:
        """Return all findings by name."""
        return dict.fromkeys(self._names, True)

    def keep(self, name: str, why: str) -> None:  # noqa: ARG002
        """Keep that something is so."""
        self._names.add(name)


class Connector(ABC):
    """One system, as one connection to it reaches it.

    What every method promises:

    - It raises the `RemoteError` family of bridge.errors and `Unsupported`, and nothing else. A
      write whose answer did not come is `UnknownOutcome`, never `Unavailable`.
    - It makes each call once. Whether to try again is decided elsewhere.
    - A row of a listing that shows no record is left out and noted (left_out.py), and a value that
      is not what it should be spoils its own field at most: the other rows go on.
    - A read leaves no trace at the vendor: it marks nothing as seen and moves no date.
    - It may be called from several threads at once.
    """

    NAME: ClassVar[str]
    """The system's name in configuration, and the name of the connector's folder."""
    CAPABILITIES: ClassVar[Mapping[str, EntityCapabilities]]
    """Entity -> what can be done with it. Nothing else is ever asked for."""
    PROBES: ClassVar[tuple[Probe, ...]] = ()
    """Calls that no document describes and that are made all the same, with where they were seen.

    Nothing else that is undocumented is ever sent: the sandboxes see to that.
    """
    EVENTS: ClassVar[Mapping[str, str]] = {}
    """The vendor's event name -> entity."""
    IGNORED: ClassVar[frozenset[str]] = frozenset()
    """Events that are known and not wanted."""
    SIGNING: ClassVar[Webhook | None] = None
    """The system's usual way to sign (without secrets): defaults for the connection's `webhook`."""
    CREDENTIALS: ClassVar[frozenset[str]] = frozenset({"api_key"})
    """Names of the credentials that a connection must have."""
    OPTIONS: ClassVar[Mapping[str, str]] = {}
    """Name of an option of the connection -> what it is, in words."""
    REQUIRED_OPTIONS: ClassVar[frozenset[str]] = frozenset()
    """Those of OPTIONS that must be given."""
    ACCOUNT_OPTIONS: ClassVar[frozenset[str]] = frozenset()
    """Those of OPTIONS that say which account it is: another value is another account."""
    BACKOFF: ClassVar[float] = 0.5
    """Seconds to wait after an answer 429 that names no time; each further one doubles them."""
    ACTIONS: ClassVar[Mapping[str, str]] = {}
    """What an operator may have done by hand, and no sync ever does: name -> what it is."""
    ERASES: ClassVar[frozenset[str]] = frozenset()
    """Entities whose `delete` erases a person for good, by the vendor's own documents: then
    `bridge forget` may call it."""

    @classmethod
    def capabilities_of(cls, connection: Connection) -> Mapping[str, EntityCapabilities]:
        """Return what can be done at one connection: its options may have a say in it."""
        del connection
        return cls.CAPABILITIES

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        vars(self)["CAPABILITIES"] = self.capabilities_of(connection)
        self.handles: Handles = no_handles
        self.findings: Findings = OwnFindings()
        self.markers = Markers.of(connection)
        """Which tags, traits and ids of records are markers of ours; no other is taken out."""

    def remember_in(self, handles: Handles, findings: Findings) -> None:
        """Use what a ledger knows; without it a call may be made once more, and is as right."""
        self.handles, self.findings = handles, findings

    # Webhooks

    @abstractmethod
    def parse(self, headers: Mapping[str, str], body: Any) -> Parsed:
        """Read the parsed JSON of a webhook whose signature has been checked, without any call.

        Header names are lower-case. Raises Malformed, naming what is wrong.
        """

    # Reading

    @abstractmethod
    def read(self, entity: str, ids: Sequence[str]) -> dict[str, Record | None]:
        """Read records as they are now, at most `read_batch` ids a call.

        Every id is in the answer. None: the vendor says that there is no such record. A doubtful
        404 (a wrong base_url, a proxy) raises Unavailable instead, for None begins a deletion.
        """

    @abstractmethod
    def changed(self, entity: str, cursor: Any | None) -> Page:
        """Return a page of what changed since the cursor's watermark (None: since ever).

        Rows may repeat and come out of order; none that changed before the listing began is
        missed. A page without records ends the poll. Its cursor is the watermark for the next
        poll, taken from the rows that were seen and a little earlier; it is never our own clock.
        """

    @abstractmethod
    def scan(self, entity: str, cursor: Any | None) -> Page:
        """Return a page of everything that there is. None begins; a page whose cursor is None ends.

        No record that is there all the while is missed, whatever comes, goes and moves meanwhile.
        """

    def made_since(self, entity: str, since: datetime) -> Sequence[Record]:
        """Return at least what was made at that time (of our clock) or later, as listings show it.

        Asked for only where `lists_newest` is declared. Raises Unavailable where the listing does
        not come to that time, or comes in no order: then nothing follows from what it lacks.
        """
        raise Unsupported(f"{self.NAME} cannot list a {entity} by when it was made ({since})")

    # Writing

    def create(self, draft: Draft) -> Record | None:
        """Create a record that carries the draft's marker.

        None: it was created, but the answer did not show it (it is found afterwards).
        """
        raise Unsupported(f"{self.NAME} cannot create a {draft.entity}")

    def find(self, intent: Intent) -> list[Record]:
        """Return the records that a create may have made, or that could be the same thing.

        Those with the intent's marker are ours. Those without any marker are candidates by their
        nature (the same customer). A record with another marker is never returned.
        """
        raise Unsupported(f"{self.NAME} cannot look up a {intent.draft.entity}")

    def update(self, ref: Ref, verb: str, values: Mapping[str, Raw]) -> Record | None:
        """Make the call that a declared verb stands for, with these values by write key.

        None: it was done, but the answer did not show the record (it is read afterwards).
        """
        raise Unsupported(f"{self.NAME} cannot change a {ref.entity} by {verb} of {sorted(values)}")

    def delete(self, ref: Ref) -> None:
        """Delete a record; one that is gone already counts as done."""
        raise Unsupported(f"{self.NAME} cannot delete a {ref.entity}")

    # What operators see and do

    def account_metrics(self) -> Mapping[str, float]:
        """Return the account's own numbers that are worth showing (`unread_tickets`).

        One cheap read. Empty where the system has none, or this key may not ask.
        """
        return {}

    def perform_action(self, action: str, arguments: Mapping[str, str]) -> str:
        """Carry out one of ACTIONS; what it returns is shown to the operator and never kept."""
        raise Unsupported(f"{self.NAME} has no action {action} ({', '.join(sorted(arguments))})")

    def find_person(self, entity: str, email: str) -> Sequence[Record]:
        """Return the records of one of ERASES that are this person's, and nobody else's."""
        raise Unsupported(
            f"{self.NAME} cannot look for a {entity} by e-mail address ({len(email)} characters)"
        )

    @abstractmethod
    def probe(self) -> dict[str, Any]:
        """Find out by reads alone what this deployment can do: name -> what was seen.

        None as a value means that it could not be told.
        """

    @abstractmethod
    def ping(self) -> str:
        """Make the cheapest read that needs the credentials; return a line for people."""
