"""Work that was set aside: listed by cause, freed, or thrown away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.core.model.outcome_codes import Code, of_cause
from bridge.core.model.outcome_meanings import remedy
from bridge.errors import NotPossible
from bridge.ledger import parking
from bridge.ledger.database import Tx
from bridge.ledger.parking import Parked, ParkedGroup
from bridge.operations.desk import Desk


@dataclass(frozen=True, slots=True)
class Choice:
    """Which parked work is meant: rows, keys or causes by name, all of one cause, or everything."""

    names: Sequence[str] = ()
    cause: str | None = None
    everything: bool = False

    @property
    def empty(self) -> bool:
        """Return whether nothing was named."""
        return not self.names and self.cause is None and not self.everything

    @property
    def words(self) -> str:
        """Return the choice in words, for the audit."""
        if self.everything:
            return "all"
        return ", ".join(
            [*self.names, *([f"cause {self.cause}"] if self.cause is not None else [])]
        )


@dataclass(frozen=True, slots=True)
class CauseGroup:
    """The parked work of one connection with one cause, and what to do about it."""

    parked: ParkedGroup
    code: Code
    what_to_do: str


def groups(desk: Desk) -> list[CauseGroup]:
    """Return what is set aside, by cause and connection, the largest group first."""
    with desk.ledger.read() as tx:
        return [
            CauseGroup(group, of_cause(group.cause), remedy(group.cause))
            for group in parking.groups(tx)
        ]


def rows(desk: Desk, cause: str | None = None) -> list[Parked]:
    """Return single pieces of parked work, of a cause if one is named, the newest first."""
    with desk.ledger.read() as tx:
        return parking.parked(tx, cause=cause)


def retry(desk: Desk, choice: Choice, *, approve: bool = False) -> int:
    """Free parked work and return how many pieces; what is right is looked at anew.

    `approve` lets destructive changes through this once, or a doubtful match be a ticket of its
    own. Raises NotPossible, and changes nothing, when a name means nothing.
    """
    with desk.acting("parked retry", choice.words, {"approve": approve}) as tx:
        payload = {"approved": True} if approve else None
        return parking.unpark(tx, desk.now(), ids=_ids(tx, choice), payload=payload)


def discard(desk: Desk, choice: Choice) -> int:
    """Throw parked work away and return how many pieces. Raises NotPossible like `retry`."""
    with desk.acting("parked discard", choice.words) as tx:
        return parking.discard(tx, _ids(tx, choice))


def _ids(tx: Tx, choice: Choice) -> list[int]:
    if choice.everything:
        return parking.all_ids(tx)
    names = [*choice.names, *([choice.cause] if choice.cause is not None else [])]
    ids, unknown = parking.find_ids(tx, names)
    if unknown:
        raise NotPossible(f"not parked (any more): {', '.join(unknown)}; nothing was changed")
    return ids
