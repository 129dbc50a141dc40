"""Rows of mappings/agents.yaml: what would be added so that somebody is known, and adding it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge import wiring
from bridge.config import yaml_edit, yaml_reader, yaml_text
from bridge.config.file_places import AGENTS
from bridge.core.mapping.transforms import TRANSFORMS
from bridge.core.model.values import Raw, shown
from bridge.errors import ConfigError, NotPossible
from bridge.operations import mapping_edits
from bridge.operations.desk import Desk
from bridge.operations.mapping_edits import NOT_THERE, FileEdit, MadeEdit


@dataclass(frozen=True, slots=True)
class AgentRow:
    """What a connection calls somebody, as it would stand in mappings/agents.yaml."""

    email: str
    connection: str
    name: Raw
    at: str
    """Where it would stand: in the person's row, `mappings/agents.yaml:5`, or in the file."""
    line: str
    """What is to be written there."""
    is_new: bool
    """The person has no row yet."""
    text: str
    """The whole file with it."""
    before: str


def proposal(desk: Desk, email: str, connection: str, name: str) -> AgentRow:
    """Return the row by which somebody would be known. Nothing is changed by that.

    Raises UnknownName for the connection; NotPossible for what is no address or no name, for who
    has another name there, for a name that somebody else has, and for a file that has to be edited
    by hand.
    """
    desk.connection(connection)
    address = TRANSFORMS["email"].read(email)
    if not isinstance(address, str):
        raise NotPossible(f"{shown(email)} is no e-mail address: give that of the person")
    if not name.strip():
        raise NotPossible(f"say what {connection} calls {address}: their id there")
    theirs = _as_named_there(desk, connection, name.strip())
    _refuse_taken(desk, address, connection, theirs)
    before = mapping_edits.in_force(desk, AGENTS)
    number = _row_of(before, address)
    if number is not None:
        where = ("agents", number)
        return AgentRow(
            address,
            connection,
            theirs,
            at=yaml_reader.parse(before, AGENTS).place(where),
            line=f"{yaml_text.scalar(connection)}: {yaml_text.flow(theirs)}",
            is_new=False,
            text=yaml_edit.with_row(before, AGENTS, where, connection, theirs),
            before=before,
        )
    row = {"email": address, connection: theirs}
    line = f"- {yaml_text.flow(row)}"
    begun = before == NOT_THERE
    text = (
        f"agents:\n  {line}\n" if begun else yaml_edit.with_item(before, AGENTS, ("agents",), row)
    )
    return AgentRow(address, connection, theirs, AGENTS, line, True, text, before)


def add(desk: Desk, row: AgentRow) -> MadeEdit:
    """Put a row in force: published where mappings are, else in the home's file.

    The tickets that wait for the person are read again then. Raises NotPossible or ConfigError
    where the file changed meanwhile or would not hold with it.
    """
    if mapping_edits.in_force(desk, AGENTS) != row.before:
        raise NotPossible(f"{AGENTS} was changed meanwhile: look at the row again")
    detail = {"row": row.line}
    edit = FileEdit(
        {AGENTS: row.before}, {AGENTS: row.text}, "person added", row.connection, detail
    )
    return mapping_edits.put_in_force(desk, wiring.sandbox_accounts(desk.config.home), edit)


def _as_named_there(desk: Desk, connection: str, name: str) -> Raw:
    """Return a name as the connection has it: a number where it calls people by numbers."""
    table = desk.context.directory.get(connection)
    known = [] if table is None else [*table.people.values(), *table.learned.values()]
    numbers = bool(known) and all(isinstance(each, int) for each in known)
    return int(name) if numbers and name.isdecimal() else name


def _refuse_taken(desk: Desk, address: str, connection: str, name: Raw) -> None:
    people = desk.config.agents.people
    had = people.get(address, {}).get(connection)
    if had is not None:
        raise NotPossible(f"{connection} calls {address} {shown(had)} by {AGENTS} already")
    others = [email for email, row in people.items() if row.get(connection) == name]
    if others:
        raise NotPossible(f"{shown(name)} of {connection} is {others[0]} by {AGENTS} already")


def _row_of(text: str, address: str) -> int | None:
    """Return which row of the file is a person's; None: none is."""
    if text == NOT_THERE:
        return None
    try:
        data: Any = yaml_reader.parse(text, AGENTS).data
    except ConfigError as error:
        raise NotPossible(str(error)) from error
    rows = data.get("agents") if isinstance(data, Mapping) else None
    for number, row in enumerate(rows if isinstance(rows, list) else []):
        if isinstance(row, Mapping) and TRANSFORMS["email"].read(row.get("email")) == address:
            return number
    return None
