"""Notices: the endpoints that are told what happens, how that goes, and telling once more."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from bridge.core.model.notice_types import NoticeEndpoint, NoticeType, TestNotice
from bridge.errors import NotPossible, UnknownName
from bridge.ledger import notice_outbox
from bridge.ledger.database import Tx
from bridge.ledger.notice_outbox import FAILED, WAITING, EndpointRow, SendingRow
from bridge.operations.desk import Desk

MOST_AT_ONCE: Final = 1_000
"""So many are sent again by one act."""

EndpointHealth = Literal["new", "well", "failing", "gone"]
SendingState = Literal["waiting", "delivered", "failed"]
STATES: Final = notice_outbox.STATES


@dataclass(frozen=True, slots=True)
class EndpointState:
    """An endpoint. Its fields are the keys of `bridge notices list --json`."""

    name: str
    host: str
    """Where notices are sent; the rest of the address may be a secret."""
    events: list[str]
    """Which kinds it wants."""
    connections: list[str]
    """Of which connections alone; none: of all."""
    syncs: list[str]
    health: EndpointHealth
    """`new`: nothing was sent yet. `gone`: it answered 410, and nothing is sent."""
    why: str
    """How the last call failed; empty: it did not."""
    failures: int
    """In a row."""
    failing_since: datetime | None
    succeeded_at: datetime | None
    waiting: int
    """Notices that are still to be delivered."""
    given_up: int
    """Notices that were given up, and can be sent again."""


@dataclass(frozen=True, slots=True)
class NoticeSending:
    """A notice's way to an endpoint. Its fields are the keys of `bridge notices show --json`."""

    id: int
    notice: str
    """What the endpoint gets as `webhook-id`, at each try."""
    kind: str
    connection: str
    """Empty: it is about no single one."""
    at: datetime
    """When the notice was written."""
    state: SendingState
    attempts: int
    tried_at: datetime | None
    status: int | None
    """What the last try was answered with; null: nothing."""
    outcome: str
    """Why the last try failed; empty: it did not."""
    next_at: datetime | None
    """When it is tried next; null: no more."""
    data: dict[str, Any]
    """What the notice says."""


@dataclass(frozen=True, slots=True)
class SendAgainPlan:
    """What sending again is about."""

    endpoint: str
    ids: list[int]
    more: bool
    """More were given up than are sent at once: these are the newest."""
    health: EndpointHealth


def endpoints(desk: Desk) -> list[EndpointState]:
    """Return every endpoint that the files name, and how calls to it go."""
    with desk.ledger.read() as tx:
        rows, counts = notice_outbox.endpoints(tx), notice_outbox.counts(tx)
    return [
        _state(each, rows.get(name), counts.get(name, {}))
        for name, each in desk.config.settings.notices.items()
    ]


def endpoint(desk: Desk, name: str) -> EndpointState:
    """Return one endpoint. Raises UnknownName with those that there are."""
    _declared(desk, name)
    return next(each for each in endpoints(desk) if each.name == name)


def sendings(
    desk: Desk,
    name: str,
    *,
    state: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[NoticeSending]:
    """Return what was and is to be sent to an endpoint, the newest first. Raises UnknownName."""
    _declared(desk, name)
    with desk.ledger.read() as tx:
        rows = notice_outbox.listed(tx, name, state=state, before=before, limit=limit)
    return [_sending(row) for row in rows]


def plan_again(
    desk: Desk, name: str, ids: Collection[int] = (), since: datetime | None = None
) -> SendAgainPlan:
    """Return what would be sent again: these, or all that was given up since then.

    Raises UnknownName for the endpoint, and NotPossible for what is none of its notices.
    """
    health = endpoint(desk, name).health
    with desk.ledger.read() as tx:
        found = list(ids) or notice_outbox.failed_ids(tx, name, since, MOST_AT_ONCE + 1)
        _check(tx, name, ids)
    return SendAgainPlan(name, found[:MOST_AT_ONCE], len(found) > MOST_AT_ONCE, health)


def send_again(desk: Desk, name: str, ids: Collection[int]) -> int:
    """Have notices sent again, delivered ones too, with the ids that they had; how many.

    An endpoint that said it was gone is called again. Raises UnknownName for the endpoint, and
    NotPossible, and nothing is changed, for what is none of its notices.
    """
    _declared(desk, name)
    if not 0 < len(ids) <= MOST_AT_ONCE:
        raise NotPossible(f"from 1 to {MOST_AT_ONCE} notices are sent again at once")
    with desk.acting("notices send again", name, {"notices": len(ids)}) as tx:
        _check(tx, name, ids)
        return notice_outbox.send_again(tx, name, ids, desk.now())


def send_test(desk: Desk, name: str) -> str:
    """Have an endpoint sent a test, whatever it asked for; return the notice's id.

    An endpoint that said it was gone is called again. Raises UnknownName, and NotPossible before a
    clock has run that knows the endpoint.
    """
    _declared(desk, name)
    content, now = asdict(TestNotice(name)), desk.now()
    with desk.acting("notices test", name) as tx:
        if name not in notice_outbox.endpoints(tx):
            raise NotPossible(
                f"no clock has run since {name} was declared: start `bridge clock` anew, "
                "then ask again"
            )
        notice_outbox.call_again(tx, name)
        return notice_outbox.add(
            tx, secrets.token_hex(16), NoticeType.TEST, "", content, [name], now
        )


def _declared(desk: Desk, name: str) -> NoticeEndpoint:
    known = desk.config.settings.notices
    if name not in known:
        allowed = ", ".join(known) or "none: config/bridge.yaml declares no `notices`"
        raise UnknownName(f"no endpoint {name}; allowed: {allowed}")
    return known[name]


def _check(tx: Tx, name: str, ids: Collection[int]) -> None:
    if ids and (strange := notice_outbox.not_of(tx, name, ids)):
        named = ", ".join(map(str, strange[:10]))
        raise NotPossible(f"no notices of {name} (any more): {named}; nothing was changed")


def _state(
    declared: NoticeEndpoint, row: EndpointRow | None, counts: dict[str, int]
) -> EndpointState:
    return EndpointState(
        name=declared.name,
        host=urlsplit(declared.url.reveal()).hostname or "",
        events=list(declared.events),
        connections=sorted(declared.connections),
        syncs=sorted(declared.syncs),
        health=health_of(row),
        why=row.why if row is not None else "",
        failures=row.failures if row is not None else 0,
        failing_since=row.failing_since if row is not None else None,
        succeeded_at=row.succeeded_at if row is not None else None,
        waiting=counts.get(WAITING, 0),
        given_up=counts.get(FAILED, 0),
    )


def health_of(row: EndpointRow | None) -> EndpointHealth:
    """Return how an endpoint is, in a word."""
    if row is None:
        return "new"
    if row.gone_at is not None:
        return "gone"
    if row.failures:
        return "failing"
    return "new" if row.succeeded_at is None else "well"


def _sending(row: SendingRow) -> NoticeSending:
    return NoticeSending(
        id=row.id,
        notice=row.notice,
        kind=row.kind,
        connection=row.connection,
        at=row.at,
        state=row.state,  # type: ignore[arg-type] # one of STATES
        attempts=row.attempts,
        tried_at=row.tried_at,
        status=row.status,
        outcome=row.outcome,
        next_at=row.due_at if row.state == WAITING else None,
        data=row.data,
    )
