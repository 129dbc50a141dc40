"""A worker's gate: which connections it may call, and what its calls' answers say of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bridge.engine.budget import Budget
from bridge.engine.context import Context
from bridge.engine.in_flight import RunningProcedure
from bridge.engine.outcomes import FIRST_DELAY_SECONDS, record_call_outcome
from bridge.engine.scheduling import ConnectionStates
from bridge.errors import LeaseLost, RateLimited, Resting
from bridge.ledger.database import Contended, Ledger


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """How one call ended, as far as it concerns the connection."""

    connection: str
    error: BaseException | None
    probe: bool = False
    """It was the call that a half-open breaker lets through."""
    item: str = ""
    """Key of the work that made the call."""


@dataclass(slots=True)
class ConnectionGate:
    """What one worker knew of the connections when it looked last, and has to tell of them."""

    states: ConnectionStates = field(default_factory=ConnectionStates)
    waiting: list[CallOutcome] = field(default_factory=list)
    """What its calls were answered, until it is recorded."""

    def forget(self) -> None:
        """Forget everything, as if the worker had died."""
        self.states, self.waiting = ConnectionStates(), []

    def turned_away(self, connection: str, asking: Sequence[RunningProcedure]) -> Resting | None:
        """Return the answer to a call that may not be made now: only the probe goes through."""
        if connection not in self.states.shut or any(each.probe == connection for each in asking):
            return None
        return Resting(connection, "paused or stopped; nothing was sent")

    def heard(
        self,
        context: Context,
        budget: Budget,
        connection: str,
        asking: Sequence[RunningProcedure],
        error: BaseException | None,
    ) -> None:
        """Keep what the answer to a call says of its connection. No error: it was answered well.

        After a 429 the budget grants nothing for a while, at once.
        """
        probe = any(each.probe == connection for each in asking)
        if error is not None or probe or connection in self.states.troubled:
            item = asking[0].task.row.key
            self.waiting.append(CallOutcome(connection, error, probe, item))
        for each in asking:
            each.probe = "" if each.probe == connection else each.probe
        if isinstance(error, RateLimited):
            # The ledger's pause keeps new work back; this keeps back what is under way already,
            # here and elsewhere.
            rest = error.retry_after or context.backoff.get(connection, FIRST_DELAY_SECONDS)
            budget.hold_off(connection, rest, context.clock.now())

    def ended(self, running: RunningProcedure) -> None:
        """Let another one try the connection that a procedure has not come to call."""
        if running.probe:
            no_call = LeaseLost("no call was made")
            self.waiting.append(CallOutcome(running.probe, no_call, probe=True))

    def record(self, ledger: Ledger, context: Context) -> None:
        """Record what waits, in a transaction that does nothing else.

        If others are at the same rows, it waits for the next time. Each recording locks the
        connection's health. In the transaction of all that is under way, or in another order than
        every other worker's, two of them could wait for one another, and the loser would lose all
        its work.
        """
        if not self.waiting:
            return
        try:
            with ledger.transaction() as tx:
                for outcome in sorted(self.waiting, key=lambda each: each.connection):
                    record_call_outcome(
                        tx,
                        context,
                        outcome.connection,
                        outcome.error,
                        probe=outcome.probe,
                        item=outcome.item,
                    )
        except Contended:
            return
        self.waiting = []
