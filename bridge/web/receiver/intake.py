"""Writes accepted deliveries into the ledger. Who called gets an answer only after the commit.

SQLite has one writer, and a commit waits for the disk: so there one thread commits for everybody
who is waiting, all in one transaction. PostgreSQL groups commits itself, so there (and in virtual
time) each request commits on its own.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitedTooLong
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from bridge.connectors.contract import Hint
from bridge.core.model.values import Ref
from bridge.errors import LedgerError
from bridge.ledger import hints, webhook_inbox
from bridge.ledger.database import Contended, Ledger, Tx
from bridge.queue import Bell

BATCH: Final = 256
WAITING: Final = 4096
TRIES: Final = 3
PATIENCE: Final = 15.0
"""Seconds after which a request gives up waiting for the commit and answers 503."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One authentic webhook, as it will stand in the inbox, with what it hints at."""

    connection: str
    key: str
    received_at: datetime
    headers: Mapping[str, str]
    projection: Mapping[str, Any]
    digest: str
    event: str
    verdict: str
    why: str = ""
    body: str | None = None
    hints: tuple[Hint, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """The ledger's answer: the inbox id, and whether the delivery was seen for the first time."""

    id: str
    is_new: bool


class Intake(Protocol):
    """Commits deliveries."""

    def submit(self, delivery: Delivery) -> Receipt:
        """Return once the delivery and the work that it causes are committed. Raises LedgerError if they are not."""

    def close(self) -> None:
        """Finish what was begun."""


class DirectIntake:
    """Commits in the caller's thread, then rings."""

    def __init__(self, ledger: Ledger, doorbell: Bell) -> None:
        self._ledger = ledger
        self._doorbell = doorbell

    def submit(self, delivery: Delivery) -> Receipt:
        """Commit one delivery, then ring."""
        receipt = self._stored(delivery)
        if delivery.hints:
            self._doorbell.ring()
        return receipt

    def close(self) -> None:
        """Nothing is ever left over."""

    def _stored(self, delivery: Delivery) -> Receipt:
        for _ in range(TRIES - 1):
            with contextlib.suppress(Contended), self._ledger.transaction() as tx:
                return store(tx, delivery)
        with self._ledger.transaction() as tx:
            return store(tx, delivery)


class GroupIntake:
    """One thread commits for all who wait, another rings: a slow Redis keeps nobody waiting for the disk."""

    def __init__(self, ledger: Ledger, doorbell: Bell) -> None:
        self._ledger = ledger
        self._doorbell = doorbell
        self._waiting: queue.Queue[tuple[Delivery, Future[Receipt]] | None] = queue.Queue(WAITING)
        self._due = threading.Event()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._write, name="intake", daemon=True),
            threading.Thread(target=self._ring, name="intake-bell", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, delivery: Delivery) -> Receipt:
        """Hand the delivery to the writer and wait for its commit."""
        if self._closed:
            raise LedgerError("the receiver is stopping")
        answer: Future[Receipt] = Future()
        try:
            self._waiting.put_nowait((delivery, answer))
            return answer.result(PATIENCE)
        except queue.Full:
            raise LedgerError(f"{WAITING} deliveries wait for the ledger already") from None
        except WaitedTooLong:
            # It may be committed yet: then the vendor's next try is a duplicate, which is fine.
            raise LedgerError(f"the ledger did not commit within {PATIENCE:.0f} s") from None

    def close(self) -> None:
        """Commit what waits, ring once more, end the threads."""
        if not self._closed:
            self._closed = True
            self._waiting.put(None)
            self._threads[0].join(PATIENCE)
            self._due.set()
            self._threads[1].join(PATIENCE)

    def _write(self) -> None:
        last = False
        while not last:
            batch = [self._waiting.get()]
            with contextlib.suppress(queue.Empty):
                while len(batch) < BATCH:
                    batch.append(self._waiting.get_nowait())
            last = None in batch
            self._commit([item for item in batch if item is not None])

    def _commit(self, batch: list[tuple[Delivery, Future[Receipt]]]) -> None:
        if not batch:
            return
        try:
            with self._ledger.transaction() as tx:
                receipts = [store(tx, delivery) for delivery, _ in batch]
        except Exception as error:  # noqa: BLE001 - whoever waits gets it
            if len(batch) == 1:
                batch[0][1].set_exception(error)
                return
            log.warning(
                "a batch of %d deliveries was not committed (%s); one by one now", len(batch), error
            )
            for item in batch:  # one of them must not take the others down
                self._commit([item])
            return
        for (_, answer), receipt in zip(batch, receipts, strict=True):
            answer.set_result(receipt)
        if any(delivery.hints for delivery, _ in batch):
            self._due.set()

    def _ring(self) -> None:
        while not self._closed:
            self._due.wait()
            self._due.clear()
            self._doorbell.ring()


def store(tx: Tx, delivery: Delivery) -> Receipt:
    """Write the inbox row and raise an observe for each hint. A duplicate raises them too: a lost hint costs more."""
    first = delivery.hints[0] if delivery.hints else Hint("", "")
    identity, is_new = webhook_inbox.accept(
        tx,
        connection=delivery.connection,
        delivery_key=delivery.key,
        received_at=delivery.received_at,
        headers=dict(delivery.headers),
        projection=dict(delivery.projection),
        digest=delivery.digest,
        event=delivery.event,
        entity=first.entity or None,
        remote_id=first.id or None,
        verdict=delivery.verdict,
        why=delivery.why,
        body=delivery.body,
    )
    # Always in the same order: two deliveries that name the same records must not wait for each
    # other.
    for hint in sorted(delivery.hints, key=lambda hint: (hint.entity, hint.id)):
        hints.give(tx, Ref(delivery.connection, hint.entity, hint.id), delivery.received_at)
    return Receipt(str(identity), is_new)
