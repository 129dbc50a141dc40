"""Effects: what a procedure asks of the world, as values, and the typed way to ask for it.

A procedure (observe, deliver, create, one page of a reconciliation) is a generator. It yields an
effect, the drain carries it out and sends the result back, or throws the error in. So one thread
of control reads top to bottom, while the drain commits many tickets' ledger effects in one
transaction, batches reads and sends in parallel; and a simulation can stop a procedure between
any two effects, which is exactly what a crash does.

What every ticket asks of the ledger is a value (`TakeLink`, `StoreChanges`, `Consult`), so that the
drain does it for many tickets in one statement each; what is rare is a function (`Transact`).

Procedures never write `yield` themselves: what comes out of a bare `yield` has no type. They write
`x = yield from take(...)`, `store(...)`, `consult(...)`, `transact(...)`, `look(...)`,
`read_record(...)`, `await_grant(...)` or `call_vendor(...)`, and the type checker knows what x is.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, cast

from bridge.connectors.contract import Connector, Record
from bridge.core.model.vendor_call import SEARCH
from bridge.ledger.changes import Changes
from bridge.ledger.database import Tx
from bridge.ledger.taking import Asked, Taken
from bridge.ledger.work import WorkRow

T = TypeVar("T")
Q = TypeVar("Q")


@dataclass(frozen=True, slots=True)
class TakeLink:
    """Lease a link, and load it with all that work on it needs to know."""

    asked: Asked


@dataclass(frozen=True, slots=True)
class StoreChanges:
    """Store what a step has come to, all of it or nothing."""

    changes: Changes


@dataclass(frozen=True, slots=True)
class Consult:
    """Ask the ledger what it works out for many tickets in one go: one answer for each question."""

    answers: Callable[[Tx, Sequence[Any]], Sequence[object]]
    question: object


@dataclass(frozen=True, slots=True)
class Transact:
    """Run `act` in a ledger transaction. It may be rolled back and run again."""

    act: Callable[[Tx], object]
    only_looks: bool = False
    """It writes nothing, so that it need not keep others from writing."""


@dataclass(frozen=True, slots=True)
class Read:
    """Read one record; several of one connection and entity go out as one call."""

    connection: str
    entity: str
    id: str
    deadline: datetime


@dataclass(frozen=True, slots=True)
class Grant:
    """Wait, not past `deadline`, until a call to the connection will go out soon."""

    connection: str
    deadline: datetime
    weight: int = 1
    """How many calls of the budget that call takes."""
    can_be_left: bool = False
    """The call can as well be left to others: where it is known that the wait would be in vain, or
    the worker is told to stop, nobody waits any more."""


@dataclass(frozen=True, slots=True)
class Call:
    """Make one remote call, not started after `deadline`."""

    connection: str
    act: Callable[[Connector], object]
    deadline: datetime
    weight: int = 1
    """How many calls of the connection's budget it takes."""
    why: str = ""
    """Why it is made, where that is not its work's kind."""


LedgerEffect = TakeLink | StoreChanges | Consult | Transact
RemoteEffect = Read | Grant | Call
Effect = LedgerEffect | RemoteEffect
Steps = Generator[Effect, object, T]
"""Part of a procedure, with a result. What it is sent is an object to everybody but the helpers."""
Procedure = Steps[None]
"""A procedure that returns has finished its work, or put it off; one that raises leaves that to
`engine.outcomes`."""


def take(asked: Asked) -> Steps[Taken]:
    """Lease a link, and load it with all that work on it needs to know."""
    return cast("Taken", (yield TakeLink(asked)))


def store(what: Changes) -> Steps[WorkRow | None]:
    """Store a step of a ticket, durable when the procedure goes on; see `changes.store`.

    Raises LeaseLost when another task has taken over the lease: then nothing was stored.
    """
    return cast("WorkRow | None", (yield StoreChanges(what)))


def consult(answers: Callable[[Tx, Sequence[Q]], Sequence[T]], question: Q) -> Steps[T]:
    """Ask the ledger what it works out for many tickets in one go.

    What was found may have changed when the procedure goes on, as with `look`.
    """
    return cast("T", (yield Consult(answers, question)))


def transact(act: Callable[[Tx], T]) -> Steps[T]:
    """Run `act` in a ledger transaction; what it returned is durable when the procedure goes on.

    `act` may be rolled back and run again, so it may change nothing but the ledger and what it is
    given anew each time.
    """
    return cast("T", (yield Transact(act)))


def look(act: Callable[[Tx], T]) -> Steps[T]:
    """Look into the ledger while others go on writing; for all that takes long to work out.

    What `act` found may have changed when the procedure goes on: whoever writes because of it makes
    sure, in the transaction that writes, that it still holds.
    """
    return cast("T", (yield Transact(act, only_looks=True)))


def read_record(
    connection: str, entity: str, remote_id: str, deadline: datetime
) -> Steps[Record | None]:
    """Read one record without side effects; None when the vendor has none.

    Raises the RemoteError that the connector raised.
    """
    return cast("Record | None", (yield Read(connection, entity, remote_id, deadline)))


def await_grant(
    connection: str, deadline: datetime, *, weight: int = 1, can_be_left: bool = False
) -> Steps[None]:
    """Wait until the budget lets a call be made, or will soon; the next call there goes first.

    So what is written down before a call is written when the call is about to follow. Raises
    LeaseLost when it was not granted before `deadline`, or is known not to be and `can_be_left`;
    and Resting where nothing may be called.
    """
    yield Grant(connection, deadline, weight, can_be_left)


def call_vendor(
    connection: str, act: Callable[[Connector], T], deadline: datetime, *, weight: int = 1
) -> Steps[T]:
    """Make one remote call that takes `weight` calls of the connection's budget.

    Raises LeaseLost when it could not be started before `deadline` (nothing was sent), and the
    RemoteError that the connector raised.
    """
    return cast("T", (yield Call(connection, act, deadline, weight)))


def search_vendor(connection: str, act: Callable[[Connector], T], deadline: datetime) -> Steps[T]:
    """Make a remote call that looks for records; it is `call_vendor` but for its name."""
    return cast("T", (yield Call(connection, act, deadline, why=SEARCH)))
