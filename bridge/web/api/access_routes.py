"""Who may do what and who did what: people, users, tokens, the audit."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import fields, validate

from bridge.operations import agents, audit_trail, tokens, users
from bridge.operations.agents import AgentList, KnownAgent
from bridge.operations.audit_trail import Act
from bridge.operations.permissions import Permission, Role
from bridge.operations.tokens import LONGEST_DAYS, USUAL_DAYS, NewToken, Token
from bridge.operations.users import User
from bridge.web.api.api_schemas import (
    MOST_ROWS,
    WholeNumber,
    Words,
    given,
    list_of,
    paging,
    row_number,
    rows_of,
    schema_of,
)
from bridge.web.api.asker import Asker
from bridge.web.api.routes import ListPart, Routes, act, part, question

routes: Final = Routes("access", "People, users, tokens and the audit")
NAME: Final = "<string(maxlength=100):name>"
LOOKED_AT: Final = 20_000
"""So many fields of tickets are looked at for people whom nobody knows."""
STRANGER: Final = schema_of(AgentList)().fields["unmapped"]

AuditQuery: Final = given(
    "AuditQuery",
    actor=Words(200, load_default=""),
    action=Words(
        200, load_default="", metadata={"description": "How the act's name begins: `parked`"}
    ),
    subject=Words(200, load_default="", metadata={"description": "A part of it"}),
    **paging(row_number(load_default=None)),
)
TokenBody: Final = given(
    "TokenBody",
    name=Words(64, required=True),
    role=fields.Enum(Role, by_value=True, load_default=Role.VIEWER),
    connections=fields.List(
        Words(100), load_default=list, metadata={"description": "None: the whole bridge"}
    ),
    days=WholeNumber(load_default=USUAL_DAYS, validate=validate.Range(1, LONGEST_DAYS)),
)


AgentsQuery: Final = given("AgentsQuery", **paging(Words(320, load_default="")))


class AgentsSchema(list_of("KnownAgent", schema_of(KnownAgent))):  # type: ignore[misc] # made of a dataclass
    """People who are known by e-mail address, and with the first of them those who are not."""

    unmapped = STRANGER


@question(routes, "/agents", Permission.SEE_PERSONAL, AgentsSchema, query=AgentsQuery, whole=True)
def list_agents(asker: Asker, query: dict[str, Any]) -> Any:
    """List the people that the bridge knows, and those who need a row in the mappings.

    Those are in the first part of the list alone, those with the most tickets first.
    """
    found = agents.page(asker.desk, query["limit"], after=query["cursor"])
    unmapped = [] if query["cursor"] else agents.unmapped(asker.desk, LOOKED_AT)[:MOST_ROWS]
    shown = ListPart(found.known, found.after)
    shown["unmapped"] = unmapped
    return shown


@question(routes, "/users", Permission.MANAGE_USERS, rows_of(User), whole=True)
def list_users(asker: Asker) -> Any:
    """List the users of the pages, those who are disabled among them."""
    return ListPart(users.every(asker.desk), None)


@question(routes, "/tokens", Permission.MANAGE_USERS, rows_of(Token), whole=True)
def list_tokens(asker: Asker) -> Any:
    """List the tokens, those that let nobody in any more among them."""
    return ListPart(tokens.every(asker.desk), None)


@act(
    routes,
    "/tokens",
    Permission.MANAGE_USERS,
    schema_of(NewToken),
    body=TokenBody,
    whole=True,
    once=False,
)
def create_token(asker: Asker, body: dict[str, Any]) -> Any:
    """Make a token. Its secret is shown this once, and kept nowhere.

    No name is given twice, so that asking again makes no second one.
    """
    return tokens.create(
        asker.desk,
        body["name"],
        body["role"],
        connections=body["connections"],
        days=body["days"],
    )


@act(routes, f"/tokens/{NAME}/revoke", Permission.MANAGE_USERS, schema_of(Token), whole=True)
def revoke_token(asker: Asker, name: str) -> Any:
    """Let nobody in with a token any more."""
    tokens.revoke(asker.desk, name)
    return tokens.get(asker.desk, name)


@question(routes, "/audit", Permission.SEE_AUDIT, rows_of(Act), query=AuditQuery, whole=True)
def audit(asker: Asker, query: dict[str, Any]) -> Any:
    """List what was done through the bridge and by whom, the newest first."""
    limit = query["limit"]
    rows = audit_trail.acts(
        asker.desk,
        limit=limit + 1,
        before=query["cursor"],
        actor=query["actor"],
        action=query["action"],
        subject=query["subject"],
    )
    return part(rows, limit, lambda row: row.id)
