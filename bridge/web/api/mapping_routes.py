"""Mappings: revisions, their differences, the proof; checking files, publishing, going back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from marshmallow import fields, validate

from bridge.operations import masking, proof_in_force, revisions, unknown_values, vendor_fields
from bridge.operations.desk import Desk
from bridge.operations.file_differences import FileDifference, differences
from bridge.operations.permissions import Permission
from bridge.operations.revisions import RevisionHead
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
from bridge.web.api.routes import ListPart, Routes, act, part, question
from bridge.workbench.carry_matrix import MatrixRow
from bridge.workbench.proof_findings import ProofFinding

routes: Final = Routes("mappings", "Mappings, and what vendors show that no file knows")
REVISION: Final = f"<int(min=1, max={LARGEST}):number>"
LONGEST_FILE: Final = 4 << 20
FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,90}\.yaml\Z")
ROLLED_BACK: Final = "mappings rolled back"

_FILES: Final[dict[str, Any]] = {
    "files": fields.Dict(
        keys=Words(100, validate=validate.Regexp(FILE_NAME)),
        values=Words(LONGEST_FILE),
        required=True,
        metadata={"description": "All files by name (`switch.yaml`), each with its text"},
    ),
    "parent": WholeNumber(
        load_default=None,
        validate=validate.Range(0, LARGEST),
        allow_none=True,
        metadata={
            "description": "The revision that they were made from: what others changed since is "
            "merged in; null: they take the place of whatever is in force"
        },
    ),
}
_HOW: Final[dict[str, Any]] = {
    "note": Words(1000, load_default=""),
    "accept": TrueOrFalse(
        load_default=False, metadata={"description": "Doubtful changes are meant so"}
    ),
}
CheckBody: Final = given("CheckBody", **_FILES)
PublishBody: Final = given("PublishBody", **_FILES, **_HOW)
RollbackBody: Final = given("RollbackBody", **_HOW)
RevisionQuery: Final = given("RevisionQuery", **paging(row_number(load_default=None)))
DiffQuery: Final = given("DiffQuery", since=row_number(load_default=None))
DismissBody: Final = given(
    "DismissBody",
    connection=Words(100, required=True),
    entity=Words(100, load_default="ticket"),
    field=Words(300, required=True),
)
ValueQuery: Final = given("ValueQuery", connection=Words(100, load_default=None))


class DraftSchema(AnswerSchema):
    """Files that could be published, or were: the keys of `bridge mappings publish --json`."""

    revision = fields.Integer(
        required=True, allow_none=True, metadata={"description": "That they became; null: none"}
    )
    follows = fields.Integer(required=True)
    made_from = fields.Integer(required=True)
    merged = fields.List(fields.Integer(), required=True)
    differences = fields.List(fields.Nested(schema_of(FileDifference)), required=True)
    warnings = fields.List(fields.String(), required=True)
    changes = fields.List(fields.Dict(), required=True)
    effect = fields.Raw(required=True, allow_none=True)


class RevisionSchema(AnswerSchema):
    """A revision with its files."""

    head = fields.Nested(schema_of(RevisionHead), required=True)
    files = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class UnknownPartSchema(AnswerSchema):
    """What a vendor shows that no file knows: the keys of `bridge values list --json`."""

    what = fields.String(
        required=True, metadata={"description": "`value`, `ignored` or `field`: which keys follow"}
    )
    connection = fields.String(required=True)
    entity = fields.String(required=True)
    field = fields.String(required=True)
    value = fields.Raw(allow_none=True)
    first_seen = fields.DateTime(required=True, allow_none=True)
    last_seen = fields.DateTime(required=True, allow_none=True)


class DismissedSchema(AnswerSchema):
    """A field that is listed no more."""

    connection = fields.String(required=True)
    entity = fields.String(required=True)
    field = fields.String(required=True)


@dataclass(frozen=True, slots=True)
class ProvedMappings:
    """The proof of the mappings in force."""

    ok: bool
    findings: list[ProofFinding]
    left_out: int
    matrix: list[MatrixRow]


@question(
    routes, "/mappings", Permission.SEE, rows_of(RevisionHead), query=RevisionQuery, whole=True
)
def mapping_revisions(asker: Asker, query: dict[str, Any]) -> Any:
    """List the mappings that were in force and who put them there, the newest first."""
    limit = query["limit"]
    heads = revisions.history(asker.desk, limit + 1, query["cursor"])
    return part(heads, limit, lambda head: head.number)


@question(routes, f"/mappings/{REVISION}", Permission.SEE, RevisionSchema, whole=True)
def mapping_revision(asker: Asker, number: int) -> Any:
    """Return one revision with its files."""
    found = revisions.get(asker.desk, number)
    return {"head": found.head, "files": _shown(asker.desk, found.files)}


@question(
    routes,
    f"/mappings/{REVISION}/diff",
    Permission.SEE,
    rows_of(FileDifference),
    query=DiffQuery,
    whole=True,
)
def mapping_diff(asker: Asker, query: dict[str, Any], number: int) -> Any:
    """List how a revision's files differ from those of another; usually from the one before."""
    found = revisions.get(asker.desk, number)
    since = query["since"] or number - 1
    before = revisions.get(asker.desk, since).files if since else {}
    after = _shown(asker.desk, found.files)
    return ListPart(differences(_shown(asker.desk, before), after), None)


def _shown(desk: Desk, files: Mapping[str, str]) -> dict[str, str]:
    """Return files as somebody may see them: `agents.yaml` has the addresses of people."""
    if not desk.masks:
        return dict(files)
    return {name: masking.without_addresses(text) for name, text in files.items()}


@question(routes, "/mappings/proof", Permission.SEE, schema_of(ProvedMappings), whole=True)
def mapping_proof(asker: Asker) -> Any:
    """Return the proof of the mappings in force, and the table of what travels where."""
    proof = proof_in_force.proof_in_force(asker.desk)
    return ProvedMappings(
        not proof.refused, list(proof.findings), proof.left_out, list(proof.matrix)
    )


@act(
    routes,
    "/mappings/check",
    Permission.CHANGE_MAPPINGS,
    DraftSchema,
    body=CheckBody,
    whole=True,
    once=False,
)
def check_mappings(asker: Asker, body: dict[str, Any]) -> Any:
    """Check files and say what publishing them would mean. Nothing is changed by that."""
    made = revisions.draft(asker.desk, body["files"], parent=body["parent"], accept=True)
    return revisions.draft_as_json(made, None, None)


@act(
    routes,
    "/mappings",
    Permission.CHANGE_MAPPINGS,
    DraftSchema,
    body=PublishBody,
    whole=True,
)
def publish_mappings(asker: Asker, body: dict[str, Any]) -> Any:
    """Put files in force. Each ticket stays as it is until somebody touches it.

    `bridge mappings apply` writes to the tickets what a revision changes.
    """
    return _publish(asker.desk, body["files"], body, "mappings published", parent=body["parent"])


@act(
    routes,
    f"/mappings/{REVISION}/rollback",
    Permission.CHANGE_MAPPINGS,
    DraftSchema,
    body=RollbackBody,
    whole=True,
)
def roll_mappings_back(asker: Asker, body: dict[str, Any], number: int) -> Any:
    """Put the files of an older revision in force once more, as the newest revision.

    Each ticket stays as it is: `bridge mappings rollback --undo` takes back what was written.
    """
    files = dict(revisions.get(asker.desk, number).files)
    how = body | {"note": body["note"] or f"back to revision {number}"}
    return _publish(asker.desk, files, how, ROLLED_BACK)


def _publish(
    desk: Desk, files: dict[str, str], how: dict[str, Any], act: str, *, parent: int | None = None
) -> Any:
    revisions.refuse_files(desk)
    made = revisions.draft(desk, files, parent=parent, accept=how["accept"])
    if not made.differences:
        return revisions.draft_as_json(made, None, None)
    revision, stored = revisions.publish(
        desk, made, note=how["note"], accept=how["accept"], act=act
    )
    return revisions.draft_as_json(stored, revision.number, None)


@question(
    routes, "/values", Permission.SEE, list_of("UnknownPart", UnknownPartSchema), query=ValueQuery
)
def unknown_parts(asker: Asker, query: dict[str, Any]) -> Any:
    """List values without a reading and fields that no file knows."""
    name = asker.connection(query["connection"])
    values, ignored = unknown_values.unknown(asker.desk), vendor_fields.ignored_values(asker.desk)
    found = [
        *({"what": "value"} | asdict(row) for row in values),
        *({"what": "ignored"} | asdict(row) for row in ignored),
        *({"what": "field"} | asdict(row) for row in vendor_fields.unknown_fields(asker.desk)),
    ]
    return ListPart([row for row in found if name is None or row["connection"] == name], None)


@act(
    routes,
    "/values/dismiss",
    Permission.CHANGE_MAPPINGS,
    DismissedSchema,
    body=DismissBody,
)
def dismiss_field(asker: Asker, body: dict[str, Any]) -> Any:
    """Leave a field that no file knows out of the list from now on."""
    asker.need_one([body["connection"]])
    vendor_fields.dismiss(asker.desk, (body["connection"], body["entity"], body["field"]))
    return body
