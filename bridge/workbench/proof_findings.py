"""What a proof finds, as data: command line, API and pages show the same findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from bridge.core.mapping.agent_table import AgentTable
from bridge.core.mapping.compiler import CompiledEntity
from bridge.core.model.capabilities import EntityCapabilities
from bridge.core.model.entities import BUILT_IN, FieldTable
from bridge.core.model.syncs import Sync
from bridge.core.model.values import Raw

Severity = Literal["refused", "warning", "note"]
"""`refused`: values would be lost or spoilt silently, and `bridge check` fails. `warning`: it
works, and hardly as it is meant. `note`: a limit that is declared or cannot be helped."""
SEVERITIES: Final[tuple[Severity, ...]] = ("refused", "warning", "note")

At = tuple[str, str]
"""A place in the files: `mappings/switch.yaml:17`, and the path there: `ticket.fields.status`."""


@dataclass(frozen=True, slots=True)
class ProofFinding:
    """One thing that a proof found."""

    law: str
    """A stable name of what does not hold: `round-trip`, `required`, … (docs/mappings.md)."""
    severity: Severity
    at: str
    """`mappings/switch.yaml:17`."""
    path: str
    """Where in the file: `ticket.fields.status.write`."""
    what: str
    """What is wrong or to be known, in plain words, with what to do where there is something."""
    sync: str = ""
    entity: str = ""
    field: str = ""
    """The canonical field; empty: it is about none or many."""
    connections: tuple[str, ...] = ()
    example: str = ""
    """A value on its way: `'critical' at product → urgent → 'high' at helpdesk → high`."""
    proposed: str = ""
    """YAML that would mend it, as it would stand at the place; empty: there is no one way."""

    @property
    def line(self) -> str:
        """Return it as one line of text, without its severity."""
        place = f"{self.at}: {self.path}: " if self.path else f"{self.at}: "
        example = f" ({self.example})" if self.example else ""
        return f"{place}{self.what}{example}" + (f"; try {self.proposed}" if self.proposed else "")


class Places(Protocol):
    """Says where things stand in the files."""

    def in_mapping(self, connection: str, *where: object) -> At:
        """Return the place of a part of a connection's mapping."""
        ...

    def in_syncs(self, *where: object) -> At:
        """Return the place of a part of syncs.yaml."""
        ...

    def in_agents(self, *where: object) -> At:
        """Return the place of a part of agents.yaml."""
        ...

    def says(self, *where: object) -> bool:
        """Return whether syncs.yaml has this part itself."""
        ...


@dataclass(frozen=True, slots=True)
class SeenValue:
    """A value that a vendor was seen to send."""

    raw: Raw
    records: int


Seen = Mapping[tuple[str, str, str], Sequence[SeenValue]]
"""By connection, entity and field."""


@dataclass(frozen=True, slots=True)
class ProofSubject:
    """All that a proof looks at."""

    accounts: Mapping[str, str]
    """By connection: what tells its account from others; one that is left out is none of theirs."""
    syncs: Mapping[str, Sync]
    compiled: Mapping[str, Mapping[str, CompiledEntity]]
    """Connection -> entity -> its mapping."""
    capabilities: Mapping[str, Mapping[str, EntityCapabilities]]
    places: Places
    people: Mapping[str, AgentTable] = field(default_factory=dict)
    """By connection: who is who."""
    fields: FieldTable = field(default_factory=lambda: BUILT_IN)
    seen: Seen = field(default_factory=dict)


def of_sync(
    sync: Sync,
    law: str,
    severity: Severity,
    at: At,
    what: str,
    connections: Sequence[str] = (),
    *,
    field: str = "",
    example: str = "",
    proposed: str = "",
) -> ProofFinding:
    """Return a finding about a sync, or about a field of it."""
    return ProofFinding(
        law,
        severity,
        at[0],
        at[1],
        what,
        sync=sync.name,
        entity=sync.entity,
        field=field,
        connections=tuple(connections),
        example=example,
        proposed=proposed,
    )
