"""The bridge at a glance, what needs a human, who asks, and what the outcome codes mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from flask import current_app
from marshmallow import fields

from bridge.core.model.outcome_codes import code_named
from bridge.core.model.outcome_meanings import MEANINGS
from bridge.errors import UnknownName
from bridge.operations import status
from bridge.operations.needs import needs
from bridge.operations.permissions import Permission, Role
from bridge.operations.recent_overview import RecentOverview
from bridge.operations.status import ConnectionStatus, Overview
from bridge.operations.trouble import Trouble
from bridge.web.api.api_schemas import AnswerSchema, list_of, rows_of, schema_of
from bridge.web.api.asker import Asker
from bridge.web.api.routes import ListPart, Routes, question

routes: Final = Routes("overview", "The bridge at a glance")
RECENT: Final = "recent overview"
"""Under this name the application keeps what was found out lately."""


class GlanceSchema(AnswerSchema):
    """The keys of `bridge status --json`; its parts are counts by name, as that has them."""

    connections = fields.List(fields.Nested(schema_of(ConnectionStatus)), required=True)
    troubles = fields.List(fields.Nested(schema_of(Trouble)), required=True)
    links = fields.Integer(required=True, metadata={"description": "Tickets and what goes along"})
    entities = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    paused = fields.Integer(required=True)
    conflicts_open = fields.Integer(required=True)
    parked = fields.List(fields.Dict(), required=True)
    runs = fields.List(fields.Dict(), required=True)
    schedule = fields.List(fields.Dict(), required=True)
    backlog = fields.Dict(required=True)
    inbox = fields.Dict(required=True)
    account = fields.Dict(required=True, metadata={"description": "Of all webhooks that came"})


@dataclass(frozen=True, slots=True)
class WhoAsks:
    """Whoever asks, as the API knows them."""

    name: str
    actor: str
    """The name under which the audit has what they do."""
    role: Role
    connections: list[str]
    """The connections that the token is for; none: the whole bridge."""
    permissions: list[str]


@dataclass(frozen=True, slots=True)
class CodeMeaning:
    """What an outcome code means."""

    code: str
    title: str
    happened: str
    tickets: str
    """What it means for tickets."""
    do: str


def recent(asker: Asker) -> Overview:
    """Return an overview that is a moment old at the most, as whoever asks may see it."""
    kept: RecentOverview = current_app.extensions[RECENT]
    return status.seen_from(asker.desk, kept.current(asker.desk))


@question(routes, "/overview", Permission.SEE, GlanceSchema, whole=True)
def overview(asker: Asker) -> Any:
    """Return connections, backlog, troubles, runs and the schedule."""
    return status.as_json(recent(asker))


@question(routes, "/needs", Permission.SEE, rows_of(Trouble), whole=True)
def needs_a_human(asker: Asker) -> Any:
    """List what needs a human: the reason for which most tickets wait first."""
    return ListPart(needs(recent(asker)), None)


@question(routes, "/me", Permission.SEE, schema_of(WhoAsks))
def me(asker: Asker) -> Any:
    """Say who asks, and what they may do."""
    allowed = [each.value for each in Permission if asker.may(each)]
    return WhoAsks(asker.name, asker.actor, asker.role, sorted(asker.connections), allowed)


@question(routes, "/outcomes", Permission.SEE, list_of("CodeMeaning", schema_of(CodeMeaning)))
def outcomes(_asker: Asker) -> Any:
    """List the outcome codes, each with what it means and what to do."""
    return ListPart([_meaning(str(code)) for code in MEANINGS], None)


@question(routes, "/outcomes/<string(maxlength=60):code>", Permission.SEE, schema_of(CodeMeaning))
def outcome(_asker: Asker, code: str) -> Any:
    """Say what one outcome code means; it is the `type` of problems."""
    return _meaning(code)


def _meaning(name: str) -> CodeMeaning:
    code = code_named(name)
    if code is None:
        raise UnknownName(f"no outcome code {name}; `/outcomes` lists them")
    meaning = MEANINGS[code]
    return CodeMeaning(str(code), meaning.title, meaning.happened, meaning.tickets, meaning.do)
