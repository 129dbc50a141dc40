"""Work that was set aside: listed by cause, freed, or thrown away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from bridge.core.model.outcome_codes import CAUSES, code_named
from bridge.core.model.outcome_meanings import MEANINGS
from bridge.errors import NotPossible, UnknownName
from bridge.ledger import parking, stray_copies
from bridge.ledger.database import Tx
from bridge.ledger.parking import Parked, ParkedGroup
from bridge.operations import masking
from bridge.operations.desk import Desk


@dataclass(frozen=True, slots=True)
class Choice:
    """Which parked work is meant: rows, keys or codes by name, all of one code, or everything."""

    names: Sequence[str] = ()
    cause: str | None = None
    everything: bool = False
    connections: Sequence[str] = ()
    """Of that, only what is of these connections; none: of whichever."""

    @property
    def empty(self) -> bool:
        """Return whether nothing was named."""
        return not self.names and self.cause is None and not self.everything

    @property
    def words(self) -> str:
        """Return the choice in words, for the audit."""
        cause = [f"cause {self.cause}"] if self.cause is not None else []
        meant = "all" if self.everything else ", ".join([*self.names, *cause])
        return meant + (f" of {', '.join(self.connections)}" if self.connections else "")


@dataclass(frozen=True, slots=True)
class ParkedPlace:
    """A place in the list of parked work: when a row was set aside last, and its id."""

    at: datetime
    id: int


@dataclass(frozen=True, slots=True)
class CauseGroup:
    """The parked work of one connection with one outcome code."""

    parked: ParkedGroup
    cause: str
    """The cause in words."""
    what_to_do: str


def groups(desk: Desk) -> list[CauseGroup]:
    """Return what is set aside, by cause and connection, the largest group first."""
    with desk.ledger.read() as tx:
        found = parking.groups(tx)
    return [
        _group(replace(group, samples=[masking.of_cause(desk, row) for row in group.samples]))
        for group in found
    ]


def rows(
    desk: Desk,
    cause: str | None = None,
    *,
    connection: str | None = None,
    after: ParkedPlace | None = None,
    limit: int = 200,
) -> list[Parked]:
    """Return single pieces of parked work, the newest first: those after a place in the list.

    Of a cause, named by its outcome code, and of a connection, where these are given. Raises
    UnknownName.
    """
    place = None if after is None else (after.at, after.id)
    with desk.ledger.read() as tx:
        if cause is None:
            found = parking.parked(tx, limit, connection=connection, after=place)
            return [masking.of_cause(desk, row) for row in found]
        code = code_named(cause) or CAUSES.get(cause)
        if code is None:
            known = ", ".join(sorted({group.code for group in parking.groups(tx, samples=0)}))
            raise UnknownName(f"no cause {cause}; parked now: {known or 'nothing'}")
        found = parking.parked(tx, limit, code=code, connection=connection, after=place)
        return [masking.of_cause(desk, row) for row in found]


def as_json(row: Parked) -> dict[str, Any]:
    """Return a piece of parked work for programs: its cause in words, and the code of that."""
    return asdict(row) | {"cause": MEANINGS[row.code].title, "code": row.code}


def group_as_json(group: ParkedGroup) -> dict[str, Any]:
    """Return a group of parked work for programs."""
    words = _group(group)
    samples = [as_json(row) for row in group.samples]
    about = {"cause": words.cause, "what_to_do": words.what_to_do, "samples": samples}
    return asdict(group) | about


def _group(group: ParkedGroup) -> CauseGroup:
    return CauseGroup(group, MEANINGS[group.code].title, MEANINGS[group.code].do)


def retry(desk: Desk, choice: Choice, *, approve: bool = False) -> int:
    """Free parked work and return how many pieces; what is right is looked at anew.

    `approve` lets destructive changes through this once, or a doubtful match be a ticket of its
    own. Raises NotPossible, and changes nothing, when a name means nothing.
    """
    with desk.acting("parked retry", choice.words, {"approve": approve}) as tx:
        payload = {"approved": True} if approve else None
        return parking.unpark(tx, desk.now(), ids=_ids(tx, choice), payload=payload)


def discard(desk: Desk, choice: Choice) -> int:
    """Throw parked work away and return how many pieces. Raises NotPossible like `retry`.

    What was noted of a copy that has no ticket goes with it: a listing that still shows the record
    brings both back.
    """
    with desk.acting("parked discard", choice.words) as tx:
        ids = _ids(tx, choice)
        for ref in parking.records(tx, ids):
            stray_copies.forget(tx, ref)
        return parking.discard(tx, ids)


def _ids(tx: Tx, choice: Choice) -> list[int]:
    if choice.everything:
        return parking.all_ids(tx, choice.connections)
    names = [*choice.names, *([choice.cause] if choice.cause is not None else [])]
    ids, unknown = parking.find_ids(tx, names, choice.connections)
    if unknown:
        raise NotPossible(f"not parked (any more): {', '.join(unknown)}; nothing was changed")
    return ids
