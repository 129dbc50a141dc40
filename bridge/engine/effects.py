"""What a flow procedure asks of the world, as values.

A procedure (observe, deliver, create, one page of a reconciliation) is a generator. It yields an
effect, the drain carries it out and sends the result back, or throws the error in. So one thread of
control reads top to bottom, while the drain commits many tickets' ledger effects in one
transaction, batches reads and sends in parallel; and a simulation can stop a procedure between any
two effects, which is exactly what a crash does.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from bridge.connectors.contract import Connector
from bridge.ledger.database import Tx

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Transact:
    """Run `act` in a ledger transaction; durable when the procedure goes on. It may be rolled back and tried again."""

    act: Callable[[Tx], Any]


@dataclass(frozen=True, slots=True)
class Read:
    """Read one record without side effects; the result is a Record, or None when the vendor has none."""

    connection: str
    entity: str
    id: str
    deadline: datetime


@dataclass(frozen=True, slots=True)
class Call:
    """Make one remote call. It is not started after `deadline`: the procedure then gets LeaseLost, nothing was sent."""

    connection: str
    act: Callable[[Connector], Any]
    deadline: datetime
    weight: int = 1
    """How many calls of the connection's budget it takes."""


Effect = Transact | Read | Call
Steps = Generator[Effect, Any, T]
"""Part of a procedure, with a result."""
Procedure = Steps[None]
"""A procedure that returns has settled its own work row; one that raises leaves that to `flow.outcome`."""
