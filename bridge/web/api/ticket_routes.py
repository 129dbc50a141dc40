"""Tickets: found, looked at, explained; paused, detached, put elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from marshmallow import fields, validate

from bridge.errors import NotPossible
from bridge.operations import link, ticket, tickets, why
from bridge.operations.desk import Desk
from bridge.operations.link import LinkPreview
from bridge.operations.permissions import Permission
from bridge.operations.ticket import AgreedValue, SideView
from bridge.operations.ticket_states import TicketState
from bridge.operations.tickets import TicketLine, Wanted
from bridge.operations.why import Explanation
from bridge.web.api.api_schemas import AnswerSchema, Words, given, paging, rows_of, schema_of
from bridge.web.api.asker import Asker
from bridge.web.api.routes import ListPart, Routes, act, question

routes: Final = Routes("tickets", "Tickets. REF is named as on the command line")
LOOKED_AT: Final = 2_000
"""So many tickets are looked at for one answer; the next part goes on from there."""
REF: Final = "<string(maxlength=300):ref>"
ACT: Final = "<any(pause,resume,detach,relink):act>"

TicketQuery: Final = given(
    "TicketQuery",
    text=Words(
        load_default="",
        metadata={"description": "A part of any text, or how a record's id begins"},
    ),
    state=fields.Enum(TicketState, by_value=True, load_default=None),
    sync=Words(load_default=""),
    email=Words(load_default=""),
    tag=Words(load_default=""),
    connection=Words(load_default=None, metadata={"description": "Those that have a record there"}),
    **paging(Words(100, load_default=None)),
)
ActQuery: Final = given(
    "ActQuery",
    to=Words(
        load_default=None, metadata={"description": "`relink` alone: the ticket that gets it"}
    ),
)
ActBody: Final = given(
    "ActBody",
    act=fields.String(
        required=True, validate=validate.OneOf(["pause", "resume", "detach", "relink"])
    ),
    to=Words(load_default=None, allow_none=True),
)


class TicketSchema(AnswerSchema):
    """One ticket: the keys of `bridge ticket --json`."""

    id = fields.String(required=True)
    sync = fields.String(required=True)
    state = fields.Dict(
        keys=fields.String(), values=fields.Nested(schema_of(AgreedValue)), required=True
    )
    open = fields.List(
        fields.String(), required=True, metadata={"description": "Fields in conflict"}
    )
    sides = fields.Dict(
        keys=fields.String(), values=fields.Nested(schema_of(SideView)), required=True
    )
    timeline = fields.List(fields.Dict(), required=True)
    writes = fields.List(fields.Dict(), required=True)
    conflicts = fields.List(fields.Dict(), required=True)


class TicketChangedSchema(AnswerSchema):
    """The ticket that an act has changed."""

    ticket = fields.String(required=True)


@question(routes, "/tickets", Permission.SEE, rows_of(TicketLine), query=TicketQuery)
def list_tickets(asker: Asker, query: dict[str, Any]) -> Any:
    """List the newest tickets that fit. A part may have fewer rows than `limit`, or none."""
    wanted = Wanted(
        text=query["text"],
        email=query["email"],
        tag=query["tag"],
        state=query["state"],
        sync=query["sync"],
        connection=asker.connection(query["connection"]) or "",
    )
    found = tickets.listed(
        asker.desk, wanted, limit=query["limit"], after=query["cursor"], within=LOOKED_AT
    )
    return ListPart(found.rows, found.after)


@question(routes, f"/tickets/{REF}", Permission.SEE, TicketSchema)
def one_ticket(asker: Asker, ref: str) -> Any:
    """Return one ticket: agreed state, what each side shows, and everything that happened."""
    found = ticket.show(asker.desk, ref)
    asker.need_one(found.sides)
    return ticket.as_json(found)


@question(
    routes,
    f"/tickets/{REF}/why/<string(maxlength=100):field>",
    Permission.SEE,
    schema_of(Explanation),
)
def why_a_field(asker: Asker, ref: str, field: str) -> Any:
    """Say why a field has its value, and why each side does or does not show it."""
    found = why.explain(asker.desk, ref, field)
    asker.need_one(found.sides)
    return found


@question(
    routes,
    f"/tickets/{REF}/acts/{ACT}",
    Permission.TEND_TICKETS,
    schema_of(LinkPreview),
    query=ActQuery,
)
def look_at_act(asker: Asker, query: dict[str, Any], ref: str, act: str) -> Any:
    """Say what an act would lead to, and do nothing. To detach and relink, REF is a record."""
    found = _preview(asker.desk, ref, act, query["to"])
    asker.need_one(record.connection for record in found.records)
    return found


@act(routes, f"/tickets/{REF}/acts", Permission.TEND_TICKETS, TicketChangedSchema, body=ActBody)
def act_on_ticket(asker: Asker, body: dict[str, Any], ref: str) -> Any:
    """Pause a ticket, let it go on, take a record out of it, or put one back or into another.

    A token that is for some connections must be for all that the ticket has records of.
    """
    name, to = body["act"], body["to"]
    looked_at = _preview(asker.desk, ref, name, to)
    concerned = {record.connection for record in looked_at.records}
    if name == "relink":
        concerned.add(ref.partition(":")[0])
    asker.need_all(concerned)
    if name == "relink":
        return {"ticket": link.relink(asker.desk, ref, to)}
    return {"ticket": _ACTS[name][1](asker.desk, ref)}


_ACTS: Final[dict[str, tuple[Callable[[Desk, str], LinkPreview], Callable[[Desk, str], str]]]] = {
    "pause": (link.preview_pause, link.pause),
    "resume": (link.preview_resume, link.resume),
    "detach": (link.preview_detach, link.detach),
}


def _preview(desk: Desk, ref: str, name: str, to: str | None) -> LinkPreview:
    if name == "relink":
        return link.preview_relink(desk, ref, to)
    if to is not None:
        raise NotPossible(f"`to` says where a record is put, and {name} puts none anywhere")
    return _ACTS[name][0](desk, ref)
