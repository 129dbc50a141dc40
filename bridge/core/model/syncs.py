"""The configuration as frozen values: connections, syncs, members, field policies, guards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from typing import Any, Final, Literal

from bridge.core.model.capabilities import Support

UnknownPolicy = Literal["quarantine", "ignore", "pass"]
"""What becomes of a field that shows a value without a reading: it waits and is named as trouble,
it is left alone and counted, or the text passes as it is."""
QUARANTINE: Final[UnknownPolicy] = "quarantine"
IGNORE: Final[UnknownPolicy] = "ignore"
AS_IT_IS: Final[UnknownPolicy] = "pass"
ALL_FIELDS: Final = "*"


def policy_of(policies: Mapping[str, UnknownPolicy], field: str) -> UnknownPolicy:
    """Return what becomes of unknown values of a canonical field; `*` stands for all others."""
    return policies.get(field, policies.get(ALL_FIELDS, QUARANTINE))


class Secret:
    """A value that shows as `•••` in `str`, `repr`, formats and JSON. Only `reveal` returns it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value, for the one place that must send or compare it."""
        return self._value

    def __str__(self) -> str:
        """Return dots in place of the value."""
        return "•••"

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        """Return whether both hold the same value: settings are compared on reload.

        Not for signatures: they are compared in constant time, elsewhere.
        """
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `calls` in `seconds`."""

    calls: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Webhook:
    """The webhooks of a connection: how they are signed, and where the hint stands in them."""

    scheme: Literal["standard-webhooks", "hmac-sha256", "hmac-sha512", "hmac-sha1", "static-header"]
    secrets: tuple[Secret, ...]
    header: str = ""
    signature: str = ""
    """hmac only: how the header is written, as `t={timestamp},v1={signature}`; empty: the signature
    alone, with or without `sha256=` in front."""
    signed: str = ""
    """hmac only: what is signed, made of `{body}`, `{timestamp}` and `{id}`; empty: `{body}`, or
    `{timestamp}.{body}` where there is a timestamp."""
    timestamp_header: str = ""
    """hmac only: the header with the time that is signed, which is checked."""
    timestamp_path: str = ""
    """Dotted path of the body's own time, which is checked as well."""
    tolerance: timedelta = timedelta(minutes=5)
    rate_limit: tuple[Rate, ...] = (Rate(2000, 10.0), Rate(6000, 60.0))
    """Deliveries that are taken; more are answered 429, and the vendor sends them again."""
    event: str = ""
    """Dotted path of the event name in the body; empty: the connector's own."""
    id: str = ""
    """Dotted path of the record id in the body; empty: the connector's own."""
    delivery: str = ""
    """Header with the vendor's delivery id; empty: the connector's own."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, and what may be shown of it: nothing, but that there is one."""

    address: Secret
    """With user and password, where it wants them."""
    secrets: tuple[Secret, ...] = ()
    """The password, as it is written and as it is meant."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One configured account of a system."""

    name: str
    system: str
    mapping: str
    base_url: str
    credentials: Mapping[str, Secret]
    place: str = ""
    """Where its account is: the normalised address, and the options that name the account there.

    With the credentials it says which account this is.
    """
    webhook: Webhook | None = None
    rates: tuple[Rate, ...] = ()
    concurrency: int = 4
    timeout: float = 10.0
    """Seconds, for the whole of one HTTP call."""
    poll: timedelta | None = None
    full: time | None = None
    ticket_url: str = ""
    """The address of a ticket's page at the vendor, `{id}` for its id; empty: not known."""
    keep_bodies: bool = False
    """Whole bodies of webhooks and of calls are kept, which hold personal data."""
    calls: bool = True
    """The last calls are kept, to be looked at."""
    unknown_values: Mapping[str, UnknownPolicy] = field(default_factory=dict)
    """By canonical field, `*` for all others: what becomes of values that have no reading."""
    authorities: str = field(default="", repr=False)
    """Certificates in PEM that are trusted in place of the public ones; empty: those."""
    proxy: Proxy | None = None
    """The proxy through which every call goes."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """System-specific, checked by the connector (`project_id`, `statuses`, `service_user`)."""
    marker_keys: tuple[Secret, ...] = ()
    """Keys of the markers in records that we make: the first signs, each recognises.

    Empty: one made of the credentials."""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Return all that no log, page or error may show."""
        webhook = self.webhook.secrets if self.webhook else ()
        proxy = self.proxy.secrets if self.proxy else ()
        return (*self.credentials.values(), *self.marker_keys, *webhook, *proxy)


@dataclass(frozen=True, slots=True)
class FieldPolicy:
    """The rule by which two values of one canonical field are settled."""

    policy: Literal["latest", "owner", "merge", "manual", "first"] = "latest"
    owner: str = ""
    revert: bool = True
    """owner only: others' edits are put back (True), or left and recorded (False; rule F17)."""
    to: tuple[str, ...] | None = None
    """Connections that receive the field; None: all."""
    on_link: str = ""
    """First contact (rule F10): the connection that wins, `union`, `manual`; empty: precedence."""


@dataclass(frozen=True, slots=True)
class Member:
    """One connection's part in a sync."""

    connection: str
    create: Support = Support.NO
    only: Callable[[Mapping[str, Any]], bool] | None = None
    """Predicate over the raw record (compiled JMESPath); None: every record is in scope."""
    only_names: frozenset[str] = frozenset()
    """The top-level names of a record that `only` looks at; `@`: all."""
    allow_delete: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MatchTerm:
    """One canonical field of a match rule; `within` widens a time to a window."""

    field: str
    within: timedelta | None = None


MATCH_AGE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Guard:
    """The share of a connection's records that may be destroyed in an hour before writes wait."""

    share: float = 0.30
    minimum: int = 10
    flips: int = 8
    """A field that changes hands more often than this ..."""
    flip_window: timedelta = timedelta(minutes=10)
    """... within this time is frozen until an admin resolves it (the flip-flop fuse)."""
    lifted: bool = False
    """Writes are not held one by one, because a rehearsal judges the whole; listings still are."""


@dataclass(frozen=True, slots=True)
class Sync:
    """A declared group of connections that mirror one entity."""

    name: str
    entity: str
    members: Mapping[str, Member]
    policies: Mapping[str, FieldPolicy]
    """By canonical field: all fields of the entity, defaults filled in."""
    precedence: tuple[str, ...]
    match: tuple[tuple[MatchTerm, ...], ...] = ()
    match_age: timedelta = MATCH_AGE
    """Open records that match, made further apart than this: a human says whether they are one."""
    delete: Literal["ignore", "close", "delete"] = "ignore"
    leave_scope: Literal["keep", "close", "detach"] = "keep"
    guard: Guard = Guard()

    def rank(self, connection: str) -> int:
        """Return the place in the precedence, 0 first; connections not listed come last."""
        return (
            self.precedence.index(connection)
            if connection in self.precedence
            else len(self.precedence)
        )
