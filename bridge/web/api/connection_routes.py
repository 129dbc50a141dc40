"""Connections and syncs: how each is, pausing and resuming, and what drifted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from marshmallow import fields, validate

from bridge.operations import connection, drift
from bridge.operations.drift import Drift
from bridge.operations.permissions import Permission
from bridge.operations.status import ConnectionStatus
from bridge.web.api.api_schemas import MOST_ROWS, Words, given, rows_of, schema_of
from bridge.web.api.asker import Asker
from bridge.web.api.overview_routes import recent
from bridge.web.api.routes import ListPart, Routes, act, question

routes: Final = Routes("connections", "Connections and syncs. They are configured in files alone")
NAME: Final = "<string(maxlength=100):name>"
PauseBody: Final = given("PauseBody", why=Words(load_default=""))
DriftQuery: Final = given(
    "DriftQuery",
    connection=Words(100, load_default=None),
    days=fields.Integer(load_default=7, validate=validate.Range(1, 90)),
    limit=fields.Integer(load_default=20, validate=validate.Range(1, MOST_ROWS)),
)


@dataclass(frozen=True, slots=True)
class SyncMembers:
    """A sync."""

    sync: str
    entity: str
    members: list[str]
    """The connections that mirror it."""


@dataclass(frozen=True, slots=True)
class ConnectionChanged:
    """A connection that was paused or resumed."""

    connection: str
    paused: bool


@question(routes, "/connections", Permission.SEE, rows_of(ConnectionStatus))
def connections(asker: Asker) -> Any:
    """List the connections: health, lag, rates, and when the next listings begin."""
    own = asker.connections
    rows = [each for each in recent(asker).connections if not own or each.connection in own]
    return ListPart(rows, None)


@question(routes, f"/connections/{NAME}", Permission.SEE, schema_of(ConnectionStatus))
def one_connection(asker: Asker, name: str) -> Any:
    """Return how one connection is."""
    _named(asker, name)
    return next(each for each in recent(asker).connections if each.connection == name)


@act(
    routes,
    f"/connections/{NAME}/pause",
    Permission.TEND_CONNECTIONS,
    schema_of(ConnectionChanged),
    body=PauseBody,
)
def pause_connection(asker: Asker, body: dict[str, Any], name: str) -> Any:
    """Stop calling a connection until it is resumed; its webhooks are taken."""
    _named(asker, name)
    connection.pause(asker.desk, name, body["why"])
    return ConnectionChanged(name, paused=True)


@act(
    routes,
    f"/connections/{NAME}/resume",
    Permission.TEND_CONNECTIONS,
    schema_of(ConnectionChanged),
)
def resume_connection(asker: Asker, name: str) -> Any:
    """Call a connection again, and try again what it was found not to do."""
    _named(asker, name)
    connection.resume(asker.desk, name)
    asker.desk.announce()
    return ConnectionChanged(name, paused=False)


@question(routes, "/syncs", Permission.SEE, rows_of(SyncMembers))
def syncs(asker: Asker) -> Any:
    """List the syncs, each with its members; for a token those of its connections."""
    found = [
        SyncMembers(sync.name, sync.entity, list(sync.members))
        for sync in asker.desk.config.syncs.values()
        if not asker.connections or not asker.connections.isdisjoint(sync.members)
    ]
    return ListPart(found, None)


@question(routes, "/drift", Permission.SEE, schema_of(Drift), query=DriftQuery)
def recent_drift(asker: Asker, query: dict[str, Any]) -> Any:
    """Return what drifted lately, why, and each day's share that no webhook had told of."""
    name = asker.connection(query["connection"])
    return drift.recent(asker.desk, name, days=query["days"], limit=query["limit"])


def _named(asker: Asker, name: str) -> None:
    """Raise UnknownName unless there is such a connection, Refusal unless it is the token's."""
    asker.desk.connection(name)
    asker.need_one([name])
