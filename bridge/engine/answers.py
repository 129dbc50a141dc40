"""What calls were answered: kept until the ledger has taken down what that says about their connections."""

from __future__ import annotations

from dataclasses import dataclass, field

from bridge.engine.context import Context
from bridge.engine.outcomes import record_call_outcome
from bridge.ledger.database import Contended, Ledger


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """How one call ended, as far as it concerns the connection."""

    connection: str
    error: BaseException | None
    probe: bool = False
    """It was the call that a half-open breaker let through."""
    item: str = ""
    """Key of the work that made the call."""


@dataclass(slots=True)
class CallOutcomes:
    """The answers of one worker that are not judged yet."""

    waiting: list[CallOutcome] = field(default_factory=list)

    def judge(self, ledger: Ledger, context: Context) -> None:
        """Judge what waits, in a transaction that does nothing else; if others are at the same rows, the next time.

        A judgement locks the connection's health. In the transaction of all that is under way, or
        in another order than every other worker's, two of them could wait for one another, and the
        loser would lose all its work.
        """
        if not self.waiting:
            return
        try:
            with ledger.transaction() as tx:
                for each in sorted(self.waiting, key=lambda answer: answer.connection):
                    record_call_outcome(
                        tx, context, each.connection, each.error, probe=each.probe, item=each.item
                    )
        except Contended:
            return
        self.waiting = []
