"""Connections as somebody looks at them: how each is, what it can do, and how it is set up.

Nothing here calls a vendor, and no value of a secret is in any of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from bridge.core.model.capabilities import EntityCapabilities, Support, Writable, creating
from bridge.core.model.outcome_codes import Code
from bridge.core.model.syncs import Connection, Webhook
from bridge.core.planning.planner import DELETES
from bridge.ledger import connection_health, probes, webhook_inbox
from bridge.ledger.connection_health import Health
from bridge.ledger.database import Tx
from bridge.ledger.probes import Finding
from bridge.operations.desk import Desk
from bridge.operations.refused_deliveries import RefusedDeliveries, lately
from bridge.operations.status import ConnectionStatus, Overview, rate_text
from bridge.operations.sync_map import MapLine, MapPlace, sync_map
from bridge.operations.trouble import Trouble
from bridge.runs.schedule import NextRun

__all__ = [
    "AbilityLine",
    "Breaker",
    "ConnectionLine",
    "ConnectionPage",
    "ConnectionSheet",
    "EntityAbilities",
    "Finding",
    "RateUse",
    "WebhookSetUp",
    "page",
    "sheet",
]

NEWEST: Final = 20_000
"""A connection's last webhook is looked for among so many of the newest of all connections."""
BADLY_SIGNED: Final = frozenset({Code.HOOK_SIGNATURE, Code.HOOK_UNSIGNED, Code.HOOK_EXPIRED})
"""Refusals that speak of the signature."""
TROUBLED: Final = "troubled"
"""A filter: whatever is not healthy, or not in step."""


@dataclass(frozen=True, slots=True)
class RateUse:
    """One declared rate, and how much of it is used in the window that ends now."""

    rate: str
    """As the files have it: `480/minute`."""
    allowed: int
    used: int | None
    """None: nobody knows, for Redis is away."""

    @property
    def left(self) -> int | None:
        """Return how many calls are left."""
        return None if self.used is None else max(0, self.allowed - self.used)


@dataclass(frozen=True, slots=True)
class ConnectionLine:
    """One connection in a list."""

    place: MapPlace
    status: ConnectionStatus
    budget: list[RateUse]
    poll_waits: str
    """Why no poll has its time: `under way`, or what it waits for; empty: none is scheduled."""


@dataclass(frozen=True, slots=True)
class ConnectionPage:
    """A page of connections, by name."""

    lines: list[ConnectionLine]
    after: str | None
    """With this name the next page begins behind; None: there is none."""
    total: int
    """How many there are, whatever is asked for."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """What stands between the bridge and a connection that fails."""

    state: str
    """`closed`, `open`, `half open`, or `stopped`: the key was refused, or somebody paused it."""
    words: str
    """Until when and why; empty: it is closed, and nothing failed."""
    failures: int
    """Failures in a row."""
    opened: int
    """Openings in a row."""
    since: datetime | None


@dataclass(frozen=True, slots=True)
class AbilityLine:
    """One thing that a connection can do with an entity, is declared to, or was found out to."""

    name: str
    declared: Support
    found: Finding | None
    """What came of trying it; None: it was not tried, or need not be."""
    only_on: str = ""
    """`create` or `update`, where it is for that alone."""

    @property
    def works(self) -> str:
        """Return `yes`, `no`, or `not tried yet`."""
        if self.found is not None:
            return "yes" if self.found.value else "no"
        return "not tried yet" if self.declared is Support.PROBED else self.declared.value


@dataclass(frozen=True, slots=True)
class EntityAbilities:
    """What a connection can do with one entity."""

    entity: str
    mirrored: bool
    """A sync of it has this connection as a member."""
    readable: list[str]
    whole: list[AbilityLine]
    """Creating and deleting a record."""
    fields: list[AbilityLine]
    """What can be written, by write key."""


@dataclass(frozen=True, slots=True)
class WebhookSetUp:
    """How a connection's webhooks are set up, and what of them has come."""

    path: str
    """Below the receiver's address."""
    scheme: str
    """Empty: the connection has no secret, so it takes none."""
    header: str
    secrets: int
    """How many secrets are taken, as while one is exchanged for another."""
    events: str
    """What the vendor is to send, in the words of its documents; empty: see its page."""
    last: datetime | None
    """When the last one was accepted; None: there is none among the newest of all."""
    refused: list[RefusedDeliveries]

    @property
    def signature(self) -> Literal["right", "wrong", "both", "not seen"]:
        """Return whether the signatures are right, as far as the last deliveries tell."""
        wrong = [each.last for each in self.refused if each.code in BADLY_SIGNED and not each.over]
        if not wrong:
            return "right" if self.last is not None else "not seen"
        return "wrong" if self.last is None or max(wrong) > self.last else "both"


@dataclass(frozen=True, slots=True)
class ConnectionSheet:
    """Everything about one connection."""

    line: ConnectionLine
    settings: list[tuple[str, str]]
    """What the files say of it, without secrets: name and value."""
    parts: list[MapLine]
    """Its parts in syncs."""
    troubles: list[Trouble]
    schedule: list[NextRun]
    breaker: Breaker
    in_flight: int | None
    held_off: float
    abilities: list[EntityAbilities]
    other_findings: dict[str, Finding]
    """What was found out by trying and is about none of these."""
    webhook: WebhookSetUp


def page(
    desk: Desk,
    shown: Overview,
    *,
    text: str = "",
    health: str = "",
    after: str = "",
    limit: int = 50,
) -> ConnectionPage:
    """Return connections by name, from behind `after` on, as of an overview.

    `text`: a part of the name or of the system's; `health`: as it is shown, or `troubled`.
    """
    statuses = {status.connection: status for status in shown.connections}
    fits = _fits(text.casefold(), health)
    wanted = sorted(
        (place for place in sync_map(desk, shown).places if place.name > after and fits(place)),
        key=lambda place: place.name,
    )
    budgets = _budgets(desk)
    lines = [
        ConnectionLine(
            place, statuses[place.name], budgets(place.name), _poll_waits(shown, place.name)
        )
        for place in wanted[:limit]
    ]
    more = len(wanted) > limit
    return ConnectionPage(lines, lines[-1].place.name if more else None, len(statuses))


def _fits(text: str, health: str) -> Callable[[MapPlace], bool]:
    def fit(place: MapPlace) -> bool:
        if text and text not in place.name.casefold() and text not in place.system.casefold():
            return False
        if health == TROUBLED:
            return not (place.healthy and place.in_step)
        return not health or place.health == health

    return fit


def _budgets(desk: Desk) -> Callable[[str], list[RateUse]]:
    """Return what tells a connection's budget; once Redis was away, it is not asked again."""
    away = False

    def budget(name: str) -> list[RateUse]:
        nonlocal away
        connection = desk.config.connections[name]
        use = None if away or not connection.rates else desk.budget.use(connection, desk.now())
        away = away or (use is None and bool(connection.rates))
        made = [None] * len(connection.rates) if use is None else use.made
        return [
            RateUse(rate_text(rate), rate.calls, used)
            for rate, used in zip(connection.rates, made, strict=True)
        ]

    return budget


def sheet(desk: Desk, shown: Overview, name: str) -> ConnectionSheet:
    """Return everything about a connection, as of an overview. Raises UnknownName."""
    connection, now = desk.connection(name), desk.now()
    the_map = sync_map(desk, shown)
    use = desk.budget.use(connection, now)
    with desk.ledger.read() as tx:
        found = probes.by_name(tx, name)
        health = connection_health.get(tx, name)
        webhook = _webhook(tx, desk, connection, now)
    abilities, told = _abilities(desk, name, found)
    return ConnectionSheet(
        line=ConnectionLine(
            place=next(place for place in the_map.places if place.name == name),
            status=next(each for each in shown.connections if each.connection == name),
            budget=_budgets(desk)(name),
            poll_waits=_poll_waits(shown, name),
        ),
        settings=list(_settings(connection)),
        parts=[line for line in the_map.lines if line.connection == name],
        troubles=[trouble for trouble in shown.troubles if trouble.connection == name],
        schedule=[run for run in shown.schedule if run.connection == name],
        breaker=_breaker(health, now),
        in_flight=None if use is None else use.in_flight,
        held_off=0.0 if use is None else use.held_off,
        abilities=abilities,
        other_findings={key: each for key, each in found.items() if key not in told},
        webhook=webhook,
    )


def _poll_waits(shown: Overview, name: str) -> str:
    polls = (run for run in shown.schedule if (run.connection, run.kind) == (name, "poll"))
    return next((run.waits for run in polls if run.waits), "")


def _breaker(health: Health, now: datetime) -> Breaker:
    state = health.state(now)
    paused = health.paused_until is not None and health.paused_until > now
    if health.halted:
        word = "stopped"
    elif paused:
        word = "open"
    else:
        word = "half open" if health.opened else "closed"
    since = health.since if state != "ok" else None
    return Breaker(word, health.words(now), health.failures, health.opened, since)


def _settings(connection: Connection) -> Iterator[tuple[str, str]]:
    """Yield what the files say. Of credentials that they are there, and under which names."""
    yield "System", connection.system
    yield "Address", connection.base_url
    yield "Mapping", connection.mapping
    yield "Credentials", ", ".join(f"{name} •••" for name in connection.credentials) or "none"
    yield "Rates", ", ".join(map(rate_text, connection.rates)) or "none declared"
    yield "Calls at a time", str(connection.concurrency)
    yield "Longest call", f"{connection.timeout:g} s"
    yield "Polled", f"every {_span(connection.poll.total_seconds())}" if connection.poll else "no"
    yield "Listed whole", f"daily at {connection.full:%H:%M}Z" if connection.full else "no"
    yield "Bodies of webhooks", "kept" if connection.keep_bodies else "not kept"
    for name, value in sorted(connection.options.items()):
        yield f"Option {name}", str(value)
    for name, policy in sorted(connection.unknown_values.items()):
        yield f"Unknown values of {name}", policy
    if connection.authorities:
        yield "Certificates", "its own authorities are trusted"
    if connection.proxy is not None:
        yield "Way out", "through a proxy"


def _span(seconds: float) -> str:
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:g} s"


def _abilities(
    desk: Desk, name: str, found: Mapping[str, Finding]
) -> tuple[list[EntityAbilities], set[str]]:
    """Return the abilities by entity, mirrored ones first, and the findings that they tell of."""
    abilities, told = [], set[str]()
    for entity, can in desk.context.capabilities.get(name, {}).items():
        whole = [
            _ability(creating(entity), "creates", can.creates, found),
            _ability(DELETES, "deletes", can.deletes, found),
        ]
        fields = [_field(key, writable, found) for key, writable in _writable(can)]
        told |= {creating(entity), DELETES, *(line.name for line in fields)}
        mirrored = desk.context.sync_of(name, entity) is not None
        readable = sorted(can.readable)
        abilities.append(EntityAbilities(entity, mirrored, readable, whole, fields))
    return sorted(abilities, key=lambda each: (not each.mirrored, each.entity)), told


def _writable(can: EntityCapabilities) -> Iterator[tuple[str, Writable]]:
    yield from sorted(can.writable.items())
    for place, door in sorted(can.doors.items()):
        yield f"{place}.<name>", door.writable


def _ability(
    finding: str, name: str, declared: Support, found: Mapping[str, Finding]
) -> AbilityLine:
    return AbilityLine(name, declared, found.get(finding))


def _field(key: str, writable: Writable, found: Mapping[str, Finding]) -> AbilityLine:
    if writable.on_update is Support.NO:
        declared = Support.YES if writable.on_create else Support.NO
        return AbilityLine(key, declared, None, "create" if writable.on_create else "")
    only_on = "" if writable.on_create else "update"
    return AbilityLine(key, writable.on_update, found.get(key), only_on)


def _webhook(tx: Tx, desk: Desk, connection: Connection, now: datetime) -> WebhookSetUp:
    declared: Webhook | None = connection.webhook
    return WebhookSetUp(
        path=f"/webhooks/{connection.name}",
        scheme=declared.scheme if declared else "",
        header=declared.header if declared else "",
        secrets=len(declared.secrets) if declared else 0,
        events=", ".join(sorted(desk.connectors[connection.name].EVENTS)),
        last=webhook_inbox.last_of(tx, connection.name, NEWEST),
        refused=[each for each in lately(tx, now) if each.connection == connection.name],
    )
