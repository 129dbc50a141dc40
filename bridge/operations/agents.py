"""The people: everybody who is known, and those who need a row in `mappings/agents.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bridge.ledger import directory
from bridge.ledger.directory import Stranger
from bridge.operations.desk import Desk


@dataclass(frozen=True, slots=True)
class KnownAgent:
    """A person whom the files or records show. Its fields are keys of `bridge agents --json`."""

    email: str
    declared: bool
    """Whether they stand in `mappings/agents.yaml`."""
    names: Mapping[str, Any]
    """Connection -> what it calls them."""


@dataclass(frozen=True, slots=True)
class AgentList:
    """Everybody who is known, and those who need a row in `mappings/agents.yaml`."""

    known: list[KnownAgent]
    unmapped: list[Stranger]


def list_agents(desk: Desk) -> AgentList:
    """Return who is known, and who is not."""
    with desk.ledger.read() as tx:
        strangers, learned = directory.strangers(tx), directory.people(tx)
    declared = desk.config.agents.people
    names_by_email = {email: dict(names) for email, names in declared.items()}
    # The file has the last word; of what was learned, the oldest counts.
    for connection, email, remote_id in learned:
        names_by_email.setdefault(email, {}).setdefault(connection, remote_id)
    known = [KnownAgent(email, email in declared, names) for email, names in names_by_email.items()]
    return AgentList(known, strangers)


def as_json(agents: AgentList) -> dict[str, Any]:
    """Return them in the form of `bridge agents --json`."""
    return {
        "agents": [asdict(agent) for agent in agents.known],
        "unmapped": [asdict(stranger) for stranger in agents.unmapped],
    }
