"""Reads mappings/agents.yaml: who is who on every connection."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.config.yaml_reader import Document, Problem
from bridge.core.mapping.agent_table import LEAVE, UNASSIGN, AgentTable
from bridge.core.mapping.transforms import TRANSFORMS
from bridge.core.model.values import shown

KEYS = ("agents", "unmapped")


@dataclass(frozen=True, slots=True)
class Agents:
    """The directory of people, by e-mail address in lower case."""

    people: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """E-mail address -> connection -> what that connection calls the person."""
    unmapped: str = LEAVE
    _tables: dict[str, AgentTable] = field(default_factory=dict, compare=False)

    def table(self, connection: str) -> AgentTable:
        """Return one connection's table, always the same object, because it learns people later."""
        if connection not in self._tables:
            names = {
                email: row[connection] for email, row in self.people.items() if connection in row
            }
            self._tables[connection] = AgentTable(names, self.unmapped)
        return self._tables[connection]


def compile_agents(
    document: Document, connections: Collection[str] | None
) -> tuple[Agents, list[Problem]]:
    """Read the directory; nobody may be in it twice, and no name may belong to two people.

    `connections` is None when the file that defines them could not be understood.
    """
    data = {} if document.data is None else document.data
    if not isinstance(data, Mapping):
        return Agents(), [
            document.problem(
                (), f"must have rows such as key: value; allowed keys {', '.join(KEYS)}"
            )
        ]
    problems = [
        document.problem((key,), f"unknown key; allowed {', '.join(KEYS)}")
        for key in data
        if key not in KEYS
    ]
    rows = data.get("agents")
    people: dict[str, dict[str, Any]] = {}
    taken: dict[tuple[str, Any], str] = {}
    if not isinstance(rows, list | None):
        problems.append(
            document.problem(
                ("agents",), "must be a list of rows such as {email: …, <connection>: …}"
            )
        )
        rows = []
    for number, row in enumerate(rows or []):
        in_row = _row(row, connections, people, taken)
        problems += [document.problem(("agents", number, *where), what) for where, what in in_row]
    unmapped, problem = _unmapped(data.get("unmapped", LEAVE), people)
    if problem:
        problems.append(document.problem(("unmapped",), problem))
    return Agents(people, unmapped), problems


def _row(
    row: Any,
    connections: Collection[str] | None,
    people: dict[str, dict[str, Any]],
    taken: dict[tuple[str, Any], str],
) -> list[tuple[tuple[str, ...], str]]:
    """Add a row to `people`, and return its problems; `taken`: (connection, name) -> address."""
    if not isinstance(row, Mapping):
        return [((), "must be a row such as {email: …, <connection>: …}")]
    address = TRANSFORMS["email"].read(row.get("email"))
    if not isinstance(address, str):
        return [(("email",), f"is {shown(row.get('email'))}; allowed an e-mail address")]
    problems: list[tuple[tuple[str, ...], str]] = []
    if address in people:
        problems.append((("email",), f"{address} has a row already; put both into one"))
    names = {key: value for key, value in row.items() if key != "email"}
    for connection, name in names.items():
        if connections is not None and connection not in connections:
            allowed = ", ".join(("email", *sorted(connections)))
            problems.append(
                ((str(connection),), f"is no connection of config/bridge.yaml; allowed {allowed}")
            )
        elif not isinstance(name, str | int) or isinstance(name, bool) or name == "":
            problems.append(((str(connection),), f"is {shown(name)}; allowed text or a number"))
        elif taken.setdefault((connection, name), address) != address:
            problems.append(
                ((str(connection),), f"{shown(name)} stands for {taken[connection, name]} already")
            )
    people.setdefault(address, {} if problems else names)
    return problems


def _unmapped(given: Any, people: Mapping[str, Any]) -> tuple[str, str]:
    """Return what to do with strangers (an address: assign to that person), and a problem."""
    if given in (LEAVE, UNASSIGN):
        return str(given), ""
    if isinstance(given, Mapping) and set(given) == {"assign"}:
        address = TRANSFORMS["email"].read(given["assign"])
        if isinstance(address, str) and address in people:
            return address, ""
        allowed = "an e-mail address that has a row under agents"
        return LEAVE, f"assigns to {shown(given['assign'])}; allowed {allowed}"
    return LEAVE, f"is {shown(given)}; allowed leave, unassign, {{assign: <e-mail>}}"
