"""What waits for a human: parked work, conflicts, and webhooks that are looked at again."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from marshmallow import ValidationError, fields, validate

from bridge.core.model.outcome_codes import Code
from bridge.operations import conflicts, inbox, link, parked
from bridge.operations.conflicts import Decision, OpenConflict
from bridge.operations.inbox import VERDICTS, InboxEntry, WantedEvents
from bridge.operations.parked import Choice, ParkedPlace
from bridge.operations.permissions import Permission
from bridge.web.api.api_schemas import (
    LARGEST,
    AnswerSchema,
    TrueOrFalse,
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
from bridge.web.api.problems import Refusal
from bridge.web.api.routes import ListPart, Routes, act, part, question

routes: Final = Routes("troubles", "Parked work, conflicts and webhooks")
MOST_NAMES: Final = 1_000
PLACE: Final = r"^\d{4}-\d\d-\d\dT[0-9:.]+\+00:00~\d{1,10}$"
REF: Final = "<string(maxlength=300):ref>"


class ParkedWorkSchema(AnswerSchema):
    """A piece of parked work: the keys of `bridge parked list --rows --json`."""

    id = fields.Integer(required=True)
    kind = fields.String(required=True)
    key = fields.String(required=True)
    connection = fields.String(required=True)
    entity = fields.String(required=True)
    remote_id = fields.String(required=True, allow_none=True)
    link_id = fields.String(required=True, allow_none=True)
    attempts = fields.Integer(required=True)
    at = fields.DateTime(required=True, metadata={"description": "When it was set aside last"})
    since = fields.DateTime(required=True)
    why = fields.String(required=True)
    cause = fields.String(required=True, metadata={"description": "The cause in words"})
    code = fields.String(required=True)
    field = fields.String(required=True)
    learned = fields.String(required=True)


class ParkedGroupSchema(AnswerSchema):
    """Parked work of one cause and connection: the keys of `bridge parked list --json`."""

    code = fields.String(required=True)
    connection = fields.String(required=True)
    count = fields.Integer(required=True)
    oldest = fields.DateTime(required=True)
    newest = fields.DateTime(required=True)
    samples = fields.List(fields.Nested(ParkedWorkSchema), required=True)
    cause = fields.String(required=True)
    what_to_do = fields.String(required=True)


class PiecesSchema(AnswerSchema):
    """How many pieces of work an act was about."""

    pieces = fields.Integer(required=True)


class DecisionSchema(AnswerSchema):
    """A conflict that was decided."""

    link = fields.String(required=True)
    field = fields.String(required=True)
    value = fields.Raw(required=True, allow_none=True)


class ReadAgainSchema(AnswerSchema):
    """Webhooks of which the records are read again."""

    webhooks = fields.List(fields.Integer(), required=True)


class PlaceField(Words):
    """Where the parked work goes on: the time and the number of the last row."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **more: Any) -> Any:
        at, _, number = super()._deserialize(value, attr, data, **more).partition("~")
        try:
            found = ParkedPlace(datetime.fromisoformat(at), int(number))
        except ValueError:
            raise ValidationError("Is no `next` of an answer.") from None
        if found.at.tzinfo is None or not 0 < found.id <= LARGEST:
            raise ValidationError("Is no `next` of an answer.")
        return found


_OF: Final = Words(100, load_default=None)
ParkedQuery: Final = given(
    "ParkedQuery",
    cause=Words(100, load_default=None, metadata={"description": "An outcome code"}),
    connection=_OF,
    **paging(PlaceField(load_default=None, validate=[], metadata={"pattern": PLACE})),
)
ConflictQuery: Final = given("ConflictQuery", **paging(row_number(load_default=None)))
InboxQuery: Final = given(
    "InboxQuery",
    verdict=fields.String(load_default="", validate=validate.OneOf(sorted(VERDICTS))),
    connection=_OF,
    remote_id=Words(load_default=""),
    **paging(row_number(load_default=None)),
)
_CHOICE: Final[dict[str, Any]] = {
    "names": fields.List(
        Words(300),
        load_default=list,
        validate=validate.Length(max=MOST_NAMES),
        metadata={"description": "Ids, keys of work, or outcome codes"},
    ),
    "cause": Words(
        100, load_default=None, allow_none=True, metadata={"description": "All with this code"}
    ),
    "all": TrueOrFalse(load_default=False),
}
DiscardBody: Final = given("DiscardBody", **_CHOICE)
RetryBody: Final = given(
    "RetryBody",
    **_CHOICE,
    approve=TrueOrFalse(
        load_default=False,
        metadata={"description": "Let held destructive changes through this once"},
    ),
)
DecisionBody: Final = given(
    "DecisionBody",
    field=Words(100, required=True),
    take=Words(
        100,
        load_default=None,
        allow_none=True,
        metadata={"description": "What this connection says; or `value`"},
    ),
    value=Words(
        100_000,
        load_default=None,
        allow_none=True,
        metadata={"description": "As on the command line: `null` for none, a set with commas"},
    ),
)
ReprocessBody: Final = given(
    "ReprocessBody",
    webhooks=fields.List(
        WholeNumber(validate=validate.Range(1, LARGEST)),
        required=True,
        validate=validate.Length(1, MOST_NAMES),
    ),
)


@question(routes, "/parked", Permission.SEE, list_of("ParkedGroup", ParkedGroupSchema))
def parked_groups(asker: Asker) -> Any:
    """List what is set aside, by cause and connection, the largest group first."""
    own = asker.connections
    groups = [each.parked for each in parked.groups(asker.desk)]
    fit = [parked.group_as_json(each) for each in groups if not own or each.connection in own]
    return ListPart(fit, None)


@question(
    routes,
    "/parked/rows",
    Permission.SEE,
    list_of("ParkedWork", ParkedWorkSchema),
    query=ParkedQuery,
)
def parked_rows(asker: Asker, query: dict[str, Any]) -> Any:
    """List single pieces of parked work, the newest first."""
    limit, name = query["limit"], asker.connection(query["connection"])
    rows = parked.rows(
        asker.desk, query["cause"], connection=name, after=query["cursor"], limit=limit + 1
    )
    found = part(rows, limit, lambda row: f"{row.at.isoformat()}~{row.id}")
    return ListPart([parked.as_json(row) for row in found["rows"]], found["next"])


@act(routes, "/parked/retry", Permission.TEND_TICKETS, PiecesSchema, body=RetryBody)
def retry_parked(asker: Asker, body: dict[str, Any]) -> Any:
    """Free parked work: what is right is looked at anew, nothing old is sent again."""
    freed = parked.retry(asker.desk, _choice(asker, body), approve=body["approve"])
    asker.desk.announce()
    return {"pieces": freed}


@act(routes, "/parked/discard", Permission.TEND_TICKETS, PiecesSchema, body=DiscardBody)
def discard_parked(asker: Asker, body: dict[str, Any]) -> Any:
    """Throw parked work away; a reconciliation finds again what is still to be done."""
    return {"pieces": parked.discard(asker.desk, _choice(asker, body))}


def _choice(asker: Asker, body: dict[str, Any]) -> Choice:
    chosen = Choice(body["names"], body["cause"], body["all"], tuple(sorted(asker.connections)))
    if chosen.empty:
        raise Refusal(422, Code.API_REQUEST, "say which work: `names`, `cause`, or `all`")
    return chosen


@question(
    routes, "/conflicts", Permission.SEE, rows_of(OpenConflict), query=ConflictQuery, whole=True
)
def open_conflicts(asker: Asker, query: dict[str, Any]) -> Any:
    """List the open conflicts, the oldest first, with what each side says."""
    limit = query["limit"]
    rows = conflicts.list_open(asker.desk, after=query["cursor"] or 0, limit=limit + 1)
    return part(rows, limit, lambda row: row.id)


@act(
    routes, f"/tickets/{REF}/conflicts", Permission.TEND_TICKETS, DecisionSchema, body=DecisionBody
)
def decide_conflict(asker: Asker, body: dict[str, Any], ref: str) -> Any:
    """Decide a field in conflict: what one connection says, or a value.

    A token that is for some connections must be for all that the ticket has records of.
    """
    if (body["take"] is None) == (body["value"] is None):
        raise Refusal(422, Code.API_REQUEST, "give either `take` or `value`")
    if asker.connections:
        records = link.preview_pause(asker.desk, ref).records
        asker.need_all({record.connection for record in records})
    decided: Decision = conflicts.resolve(
        asker.desk, ref, body["field"], value=body["value"], take=body["take"]
    )
    return decided


@question(routes, "/inbox", Permission.SEE, rows_of(InboxEntry), query=InboxQuery)
def webhooks(asker: Asker, query: dict[str, Any]) -> Any:
    """List the webhooks that came in, the newest first, with what became of each.

    A part may have fewer rows than `limit`, or none: so many webhooks were looked at.
    """
    name = asker.connection(query["connection"]) or ""
    if name:
        asker.desk.connection(name)
    wanted = WantedEvents(query["verdict"], name, query["remote_id"])
    found = inbox.listed(asker.desk, wanted, before=query["cursor"], limit=query["limit"])
    return ListPart(found.rows, None if found.before is None else str(found.before))


@question(
    routes, f"/inbox/<int(min=1, max={LARGEST}):number>", Permission.SEE, schema_of(InboxEntry)
)
def one_webhook(asker: Asker, number: int) -> Any:
    """Return one webhook."""
    found = inbox.show(asker.desk, number)
    asker.need_one([found.connection])
    return found


@act(
    routes,
    "/inbox/reprocess",
    Permission.TEND_TICKETS,
    ReadAgainSchema,
    body=ReprocessBody,
    whole=True,
)
def reprocess_webhooks(asker: Asker, body: dict[str, Any]) -> Any:
    """Have the records read again that these webhooks named; what they claim is not used."""
    inbox.reprocess(asker.desk, body["webhooks"])
    asker.desk.announce()
    return {"webhooks": body["webhooks"]}
