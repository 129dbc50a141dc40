"""Taking in what no file knows: a row for a value, or the lines that mirror a field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.config import SandboxAccount, yaml_edit, yaml_text
from bridge.config.mapping_texts import MappingTexts
from bridge.config.value_row_edit import with_reading
from bridge.core.mapping.given_values import value_of_words
from bridge.core.model.values import Unreadable, shown
from bridge.errors import UnknownName
from bridge.home_configuration import sandbox_accounts
from bridge.operations import (
    late_fields,
    mapping_edits,
    mapping_proof,
    unknown_values,
    vendor_fields,
)
from bridge.operations.desk import Desk
from bridge.operations.file_differences import FileDifference, differences
from bridge.operations.mapping_edits import NOT_THERE, FileEdit, MadeEdit
from bridge.operations.vendor_fields import FIELDS_FILE, FieldProposal

Accounts = Mapping[str, SandboxAccount] | None


@dataclass(frozen=True, slots=True)
class AcceptedValue:
    """A row that a mapping was given."""

    at: str
    row: str
    """What reads as what: `'archived': 'closed'`."""
    written: str
    """The table that says which of theirs is sent from now on; empty: that goes on as it was."""
    records: int
    """Records that it makes readable."""
    made: MadeEdit


@dataclass(frozen=True, slots=True)
class ValuePlan:
    """The row that a value would bring into its mapping; nothing is done."""

    at: str
    row: str
    written: str
    records: int
    edit: FileEdit


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """The lines that would mirror a field; nothing is done."""

    name: str
    files: Mapping[str, str]
    others: list[str]
    edit: FileEdit


@dataclass(frozen=True, slots=True)
class AcceptedField:
    """A field that is mirrored from now on, as far as one connection is concerned."""

    name: str
    files: Mapping[str, str]
    """File -> what it was given."""
    others: list[str]
    """Other members of the sync, whose mappings do not have the field."""
    since: int | None
    """The revision since which it travels, so that what is there already is to be read.

    None: it travels nowhere yet.
    """
    made: MadeEdit


def accept_value(
    desk: Desk, accounts: Accounts, place: tuple[str, str, str], value: str, ours: str
) -> AcceptedValue:
    """Let a value that was seen read as one of ours: its mapping gets a row.

    Where the table `read` alone said what is sent, and two of theirs mean the same now, it gets the
    table `write` as well, with what was sent so far. The records that show the value are read again
    as soon as it is in force: at once where mappings are published, else with the next start.
    `place`: connection, entity and field. Raises UnknownName for a value that nobody has seen and
    for what the field cannot be, NotPossible for the shape of a value and for a field that can have
    no table; that or ConfigError where the mapping cannot take the row, or would not hold with it;
    then all is as it was.
    """
    plan = plan_value(desk, place, value, ours)
    made = mapping_edits.put_in_force(desk, accounts, plan.edit)
    return AcceptedValue(plan.at, plan.row, plan.written, plan.records, made)


def plan_value(desk: Desk, place: tuple[str, str, str], value: str, ours: str) -> ValuePlan:
    """Return what `accept_value` would do; it raises the same, but for what a check finds."""
    seen, theirs = unknown_values.seen(desk, place, value)
    connection, entity, name = place
    meant = value_of_words(desk.context.fields[entity][name], ours)
    if isinstance(meant, Unreadable):
        raise UnknownName(meant.why)
    file = vendor_fields.mapping_file(desk, connection)
    before = mapping_edits.in_force(desk, file)
    field = desk.context.fields[entity][name]
    where = (entity, "fields", name)
    after, added = with_reading(before, file, where, theirs, meant, field.choices)
    row = f"{shown(theirs)}: {shown(meant)}"
    subject = f"{connection} {name}"
    edit = FileEdit({file: before}, {file: after}, "value accepted", subject, {"row": row})
    return ValuePlan(seen.at, row, added.get("write", ""), seen.records, edit)


@dataclass(frozen=True, slots=True)
class LookedAtEdit:
    """A change of the files before it is made."""

    differences: Sequence[FileDifference]
    problems: Sequence[str]
    """Why the files would not hold with it; empty: they would."""


def look_at(desk: Desk, edit: FileEdit) -> LookedAtEdit:
    """Return what a change does to the files, and whether they would hold with it."""
    config = desk.config
    standing = dict(config.files) if config.from_ledger else MappingTexts(config.home).all()
    before = {Path(file).name: text for file, text in edit.before.items() if text}
    after = {Path(file).name: text for file, text in edit.after.items()}
    proved = mapping_proof.proved_files(desk, standing | after)
    refused = [finding.line for finding in proved.proof.refused]
    return LookedAtEdit(differences(before, before | after), refused)


def accounts_here(desk: Desk) -> Accounts:
    """Return the sandbox's accounts where this process works with it."""
    return sandbox_accounts(desk.config.home)


def accept_field(
    desk: Desk, accounts: Accounts, place: tuple[str, str, str], name: str = "", kind: str = ""
) -> AcceptedField:
    """Mirror a field that was seen: it is declared, if it has to be, and its mapping reads it.

    `place`: connection, entity and where it stands in the records. `name` and `kind`: of our field,
    where what is proposed is not meant. Raises what `proposal` and `put_in_force` raise.
    """
    plan = plan_field(desk, place, name, kind)
    made = mapping_edits.put_in_force(desk, accounts, plan.edit)
    connection, entity, _ = place
    others = late_fields.mapping_members(desk, connection, entity, plan.name)
    since = None
    if others:
        since = late_fields.mapped_since(desk, [connection, *others], entity, plan.name)
    return AcceptedField(plan.name, plan.files, plan.others, since, made)


def plan_field(
    desk: Desk, place: tuple[str, str, str], name: str = "", kind: str = ""
) -> FieldPlan:
    """Return what `accept_field` would do; it raises the same, but for what a check finds."""
    connection, entity, path = place
    found = vendor_fields.proposal(desk, place, name, kind)
    file = vendor_fields.mapping_file(desk, connection)
    before = {file: mapping_edits.in_force(desk, file)}
    after = {file: _mapped(before[file], file, entity, found)}
    files = {file: f"{found.name}: {yaml_text.flow(found.row)}"}
    if found.declared is not None:
        before[FIELDS_FILE] = mapping_edits.in_force(desk, FIELDS_FILE)
        after[FIELDS_FILE] = _declared(before[FIELDS_FILE], entity, found)
        files[FIELDS_FILE] = f"{found.name}: {yaml_text.flow(found.declared)}"
    detail = {"field": found.name, "entity": entity}
    edit = FileEdit(before, after, "field accepted", f"{connection} {path}", detail)
    return FieldPlan(found.name, files, _without(desk, connection, entity, found.name), edit)


def _mapped(text: str, file: str, entity: str, found: FieldProposal) -> str:
    row = dict(found.row) if isinstance(found.row, Mapping) else found.row
    text = yaml_edit.with_row(text, file, (entity, "fields"), found.name, row)
    if not found.also_sends:
        return text
    return yaml_edit.with_listed(text, file, (entity, "also_sends"), found.also_sends)


def _declared(text: str, entity: str, found: FieldProposal) -> str:
    declared = {found.name: dict(found.declared or {})}
    if text == NOT_THERE:
        return f"{entity}:\n  {yaml_text.block(declared, 1)[0]}\n"
    if not yaml_edit.has(text, FIELDS_FILE, (entity,)):
        return yaml_edit.with_row(text, FIELDS_FILE, (), entity, declared)
    return yaml_edit.with_row(text, FIELDS_FILE, (entity,), found.name, declared[found.name])


def _without(desk: Desk, connection: str, entity: str, name: str) -> list[str]:
    sync = desk.context.sync_of(connection, entity)
    members = sync.members if sync is not None else {}
    maps = desk.context.maps
    return [
        each for each in members if each != connection and name not in maps[each][entity].fields
    ]
