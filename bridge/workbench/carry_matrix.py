"""What travels where: a table of each canonical field and each member of a sync, from the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from bridge.core.model.capabilities import Support
from bridge.core.model.syncs import Sync
from bridge.workbench.carriers import Carrier
from bridge.workbench.proof_findings import ProofSubject

Way = Literal[
    "both ways", "in", "out", "in, create only", "create only", "in at first", "not carried"
]
MEANINGS: Final[Mapping[Way, str]] = {
    "both ways": "an edit there goes to all others, and theirs go there",
    "in": "an edit there goes to the others, and nothing is written there",
    "out": "what the others say is written there, and no edit there counts",
    "in, create only": "an edit there counts; it is written when the bridge makes the record",
    "create only": "it is written when the bridge makes the record, and no edit there counts",
    "in at first": "it counts for a ticket that begins there, and no later edit does",
    "not carried": "the mapping does not name it",
}
LOSSY: Final = "some of our values cannot be told apart there, or are not carried"
TRIED: Final = "the vendor promises nothing: it is tried once, and remembered"


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """One field at one member."""

    connection: str
    way: Way
    lossy: bool = False
    """Some of our values cannot be told apart there, or are not carried."""
    tried: bool = False
    """Whether it can be written shows at the first try."""
    key: str = ""
    """Where it is written; empty: nowhere."""

    @property
    def words(self) -> str:
        """Return the cell as people read it."""
        marks = [*(["lossy"] if self.lossy else []), *(["tried"] if self.tried else [])]
        way = "-" if self.way == "not carried" else self.way
        return f"{way} ({', '.join(marks)})" if marks else way


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One field at all members of a sync."""

    sync: str
    entity: str
    field: str
    custom: bool
    """A field of one's own."""
    cells: tuple[MatrixCell, ...]
    """In the order of the sync's members."""


def row(
    subject: ProofSubject, sync: Sync, carriers: Sequence[Carrier], lossy: Mapping[str, bool]
) -> MatrixRow:
    """Return the row of a field; `lossy`: by connection."""
    by_member = {carrier.connection: carrier for carrier in carriers}
    name = carriers[0].field.name
    return MatrixRow(
        sync.name,
        sync.entity,
        name,
        custom=bool(subject.fields[sync.entity][name].declared),
        cells=tuple(
            _cell(by_member[member], lossy=lossy.get(member, False))
            if member in by_member
            else MatrixCell(member, "not carried")
            for member in sync.members
        ),
    )


def _cell(carrier: Carrier, *, lossy: bool) -> MatrixCell:
    way: Way
    if carrier.on_update:
        way = "both ways" if carrier.counts else "out"
    elif carrier.on_create:
        way = "in, create only" if carrier.counts else "create only"
    else:
        way = "in" if carrier.counts else "in at first"
    tried = carrier.on_update and carrier.writable.on_update is Support.PROBED
    key = carrier.map.write_key or "" if carrier.writes else ""
    return MatrixCell(carrier.connection, way, lossy=lossy and bool(key), tried=tried, key=key)
