"""Commits accepted deliveries to the ledger; the caller is answered only after the commit.

Each commit waits for the disk, and each statement costs more than the row that it stores. So a
thread commits the deliveries of all waiting requests in one transaction, by one statement for the
inbox and one for the work. SQLite has one writer; at PostgreSQL a second thread prepares while the
first one's commit waits. A request waits for its commit only so long, and in no thread: a database
that hangs is answered with 503, and holds up no other request. In simulations each request commits
on its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Final, Protocol

from bridge.connectors.contract import Hint
from bridge.core.model.values import Ref
from bridge.errors import LedgerError
from bridge.ledger import hints, webhook_inbox, work
from bridge.ledger.database import Contended, Ledger, Tx
from bridge.ledger.webhook_inbox import Arrival
from bridge.ledger.work import NewWork
from bridge.queue.bell import Bell

BATCH: Final = 256
"""Deliveries committed in one transaction."""
MAX_WAITING: Final = 4096
"""Deliveries that may wait for the writer; more are refused with 503."""
MAX_ATTEMPTS: Final = 3
COMMIT_TIMEOUT_SECONDS: Final = 12.0
"""After this a request stops waiting for the commit and answers 503."""
STUCK_TIMEOUT_SECONDS: Final = 1.0
"""The same after the ledger has failed, until something is committed again."""
POSTGRESQL_WRITERS: Final = 2
"""Threads that commit side by side where the database takes several writers."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery(Arrival):
    """One authentic webhook as it is stored in the inbox, with its hints."""

    hints: tuple[Hint, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """The ledger's answer: the inbox id, and whether the delivery was seen for the first time."""

    id: str
    is_new: bool


class Intake(Protocol):
    """Commits deliveries."""

    @property
    def patience(self) -> float:
        """Return for how many seconds a commit is to be waited for."""

    def begin(self, delivery: Delivery) -> Future[Receipt]:
        """Begin to commit a delivery and the work that it causes. Raises LedgerError."""

    def receipt(self, begun: Future[Receipt]) -> Receipt:
        """Return the receipt of what is committed. Raises LedgerError if it is not."""

    def close(self) -> None:
        """Commit what waits, and stop."""


class DirectIntake:
    """Commits in the caller's thread, then rings the doorbell."""

    def __init__(self, ledger: Ledger, doorbell: Bell) -> None:
        self._ledger = ledger
        self._doorbell = doorbell

    @property
    def patience(self) -> float:
        """Return 0: what has begun is committed."""
        return 0.0

    def begin(self, delivery: Delivery) -> Future[Receipt]:
        """Commit one delivery, then ring the doorbell."""
        (receipt,) = _stored(self._ledger, [delivery])
        if delivery.hints:
            self._doorbell.ring()
        begun: Future[Receipt] = Future()
        begun.set_result(receipt)
        return begun

    def receipt(self, begun: Future[Receipt]) -> Receipt:
        """Return the receipt."""
        return begun.result()

    def close(self) -> None:
        """Do nothing: no delivery ever waits."""


class GroupIntake:
    """Threads commit for all waiting requests, another rings: Redis delays no commit.

    Each of the `writers` commits up to `batch` deliveries in one transaction. All that come in one
    round of an event loop share a commit, where the first would else have one for itself.
    """

    def __init__(
        self, ledger: Ledger, doorbell: Bell, *, writers: int = 1, batch: int = BATCH
    ) -> None:
        self._ledger = ledger
        self._doorbell = doorbell
        self._batch = batch
        self._waiting: deque[tuple[Delivery, Future[Receipt]]] = deque()
        self._called = False
        """A writer is about to be called."""
        self._calls: queue.SimpleQueue[bool] = queue.SimpleQueue()
        """Wakes a writer; False: it was the last time."""
        self._due = threading.Event()
        self._closed = False
        self._stuck = False
        """The ledger failed, or was waited for in vain, and nothing has been committed since."""
        self._writers = [
            threading.Thread(target=self._write, name="intake", daemon=True) for _ in range(writers)
        ]
        self._ringer = threading.Thread(target=self._ring, name="intake-bell", daemon=True)
        for thread in (*self._writers, self._ringer):
            thread.start()

    @property
    def patience(self) -> float:
        """Return for how long to wait: not for long where it was in vain just before."""
        return STUCK_TIMEOUT_SECONDS if self._stuck else COMMIT_TIMEOUT_SECONDS

    def begin(self, delivery: Delivery) -> Future[Receipt]:
        """Give the delivery to a writer. Raises LedgerError where none can take it."""
        if self._closed:
            raise LedgerError("the receiver is stopping")
        if len(self._waiting) >= MAX_WAITING:
            raise LedgerError(f"{MAX_WAITING} deliveries wait for the ledger already")
        begun: Future[Receipt] = Future()
        self._waiting.append((delivery, begun))
        if not self._called:
            self._called = True
            try:
                asyncio.get_running_loop().call_soon(self._call)
            except RuntimeError:  # this thread has no loop
                self._call()
        return begun

    def receipt(self, begun: Future[Receipt]) -> Receipt:
        """Return the receipt of what is committed; LedgerError where it was waited for in vain.

        It may still be committed; then the vendor's next attempt is a harmless duplicate.
        """
        if begun.done():
            return begun.result()
        self._stuck = True
        raise LedgerError("the ledger did not commit in time")

    def close(self) -> None:
        """Commit what waits, ring once more, and end the threads."""
        if not self._closed:
            self._closed = True
            until = time.monotonic() + COMMIT_TIMEOUT_SECONDS
            for _ in self._writers:
                self._calls.put(False)
            for thread in self._writers:  # of a ledger that hangs nothing more is awaited
                thread.join(max(0.0, until - time.monotonic()))
            self._due.set()
            self._ringer.join(COMMIT_TIMEOUT_SECONDS)

    def _call(self) -> None:
        self._called = False  # before any is taken: what comes after that calls again
        self._calls.put(True)

    def _write(self) -> None:
        more = True
        while more:
            more = self._calls.get()
            while batch := self._taken():
                self._commit(batch)
                if len(batch) < self._batch:
                    break

    def _taken(self) -> list[tuple[Delivery, Future[Receipt]]]:
        batch: list[tuple[Delivery, Future[Receipt]]] = []
        with contextlib.suppress(IndexError):
            while len(batch) < self._batch:
                batch.append(self._waiting.popleft())
        return batch

    def _commit(self, batch: list[tuple[Delivery, Future[Receipt]]]) -> None:
        try:
            receipts = _stored(self._ledger, [delivery for delivery, _ in batch])
        except Exception as error:  # noqa: BLE001 - it is raised in the request that waits
            self._stuck |= isinstance(error, LedgerError)
            if len(batch) == 1:
                batch[0][1].set_exception(error)
                return
            log.warning(
                "a batch of %d deliveries was not committed (%s); each is tried on its own",
                len(batch),
                error,
            )
            for item in batch:  # one bad delivery must not fail the others
                self._commit([item])
            return
        self._stuck = False
        for (_, answer), receipt in zip(batch, receipts, strict=True):
            answer.set_result(receipt)
        if any(delivery.hints for delivery, _ in batch):
            self._due.set()

    def _ring(self) -> None:
        while not self._closed:
            self._due.wait()
            self._due.clear()
            self._doorbell.ring()


def intake_for(ledger: Ledger, doorbell: Bell) -> GroupIntake:
    """Return the intake of a receiver with this ledger."""
    if ledger.url.get_backend_name() == "sqlite":
        return GroupIntake(ledger, doorbell)
    return GroupIntake(ledger, doorbell, writers=POSTGRESQL_WRITERS)


def _stored(ledger: Ledger, deliveries: Sequence[Delivery]) -> list[Receipt]:
    """Store deliveries in one transaction, again where others held what it needed."""
    for _ in range(MAX_ATTEMPTS - 1):
        with contextlib.suppress(Contended), ledger.transaction() as tx:
            return store(tx, deliveries)
    with ledger.transaction() as tx:
        return store(tx, deliveries)


def store(tx: Tx, deliveries: Sequence[Delivery]) -> list[Receipt]:
    """Store the inbox rows and enqueue an observe for each hint, also for those of a duplicate.

    A needless read costs less than a lost hint. Several hints at a record are one.
    """
    wanted: dict[Ref, NewWork] = {}
    for delivery in deliveries:
        for hint in delivery.hints:
            ref = Ref(delivery.connection, hint.entity, hint.id)
            known = wanted.get(ref)
            if known is None:
                wanted[ref] = hints.wanted(ref, delivery.received_at, handle=hint.handle)
            elif hint.handle:
                wanted[ref] = replace(known, handle=hint.handle)
    # What all transactions change, the count of arrivals, is changed last.
    work.enqueue_all(tx, wanted.values())
    stored = webhook_inbox.accept_all(tx, deliveries)
    return [Receipt(str(row_id), is_new) for row_id, is_new in stored]
