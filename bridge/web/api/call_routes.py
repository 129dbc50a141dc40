"""The last calls to vendors."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import fields, validate

from bridge.operations import last_calls
from bridge.operations.last_calls import METHODS, OUTCOMES, CallDetail, CallLine, WantedCalls
from bridge.operations.permissions import Permission
from bridge.web.api.api_schemas import (
    LARGEST,
    LONGEST_TEXT,
    Words,
    given,
    paging,
    row_number,
    rows_of,
    schema_of,
)
from bridge.web.api.asker import Asker
from bridge.web.api.routes import ListPart, Routes, question

routes: Final = Routes("calls", "The last HTTP calls to vendors, for a day")
CallQuery: Final = given(
    "CallQuery",
    connection=Words(100, load_default=None),
    ticket=Words(LONGEST_TEXT, load_default=""),
    outcome=fields.String(load_default="", validate=validate.OneOf(["", *OUTCOMES])),
    method=fields.String(load_default="", validate=validate.OneOf(["", *METHODS])),
    slower_than=fields.Integer(
        load_default=0,
        validate=validate.Range(0, LARGEST),
        metadata={"description": "Milliseconds"},
    ),
    **paging(row_number(load_default=None)),
)


@question(routes, "/calls", Permission.SEE, rows_of(CallLine), query=CallQuery)
def list_calls(asker: Asker, query: dict[str, Any]) -> Any:
    """List the last calls to vendors, the newest first.

    A part may have fewer rows than `limit`, or none: so many calls were looked at.
    """
    wanted = WantedCalls(
        asker.connection(query["connection"]) or "",
        query["ticket"],
        query["outcome"],
        query["method"],
        query["slower_than"],
    )
    found = last_calls.listed(asker.desk, wanted, before=query["cursor"], limit=query["limit"])
    return ListPart(found.rows, None if found.before is None else str(found.before))


@question(
    routes, f"/calls/<int(min=1, max={LARGEST}):number>", Permission.SEE, schema_of(CallDetail)
)
def one_call(asker: Asker, number: int) -> Any:
    """Return one call; the bodies that were kept to roles that see personal values."""
    personal = asker.may(Permission.SEE_PERSONAL)
    found = last_calls.show(asker.desk, number, personal=personal)
    asker.need_one([found.call.connection])
    return found
