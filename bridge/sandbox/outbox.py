"""Signed webhooks from a sandbox to the bridge: late, doubled, out of order or lost, by its faults.

Vendors send one for every change, whoever made it: so the bridge's own writes come back as well.
"""

from __future__ import annotations

import heapq
import json
import logging
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bridge.clock import Clock
from bridge.connectors.signing import sign
from bridge.core.model.syncs import Webhook
from bridge.sandbox.faults import WEBHOOK, Faults
from bridge.sandbox.journal import Journal

Send = Callable[[str, Mapping[str, str], bytes], int]
"""Posts a body and returns the HTTP status; 0 when there was no answer."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """An address for webhooks, and how they are signed (with the first secret)."""

    url: str
    webhook: Webhook


@dataclass(frozen=True, slots=True)
class OutgoingWebhook:
    """An event on its way to the bridge."""

    id: str
    event: str
    record_id: str
    body: bytes
    headers: Mapping[str, str]
    attempt: int = 0
    fault: str = ""


class Outbox:
    """Webhooks still to be sent. `flush` sends those that are due; after `start` a thread does."""

    def __init__(
        self,
        clock: Clock,
        rng: random.Random,
        *,
        journal: Journal,
        faults: Faults,
        send: Send,
        target: WebhookTarget | None = None,
        retries: tuple[float, ...] = (1.0, 30.0, 120.0),
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._journal = journal
        self._faults = faults
        self._send = send
        self._retries = retries
        self._heap: list[tuple[datetime, int, OutgoingWebhook]] = []
        self._order = 0
        self._wake = threading.Condition()
        self._sending = threading.Lock()
        self._stopped = False
        self._thread: threading.Thread | None = None
        self.target = target

    def emit(
        self,
        event: str,
        record_id: str,
        body: Mapping[str, Any],
        headers: Mapping[str, str],
        unique: str,
    ) -> None:
        """Queue an event; nothing happens without a target."""
        if self.target is None:
            return
        raw = json.dumps(body, separators=(",", ":")).encode()
        fault = self._faults.draw(WEBHOOK)
        delivery = OutgoingWebhook(unique, event, record_id, raw, headers, fault=fault)
        if fault == "webhook-lost":
            self._record(delivery, 0)
            return
        # The delay is drawn for each webhook, delayed or not: one fault does not shift the others.
        delayed = 0.5 + 4.5 * self._rng.random()
        wait = {"webhook-reordered": 0.25, "webhook-delayed": delayed}.get(fault, 0.0)
        self._queue(delivery, wait)
        if fault == "webhook-duplicated":  # with the same delivery id, as a retry has
            self._queue(replace(delivery, fault=""), 0.05)

    @property
    def waiting(self) -> int:
        """Return how many webhooks are still to be sent."""
        with self._wake:
            return len(self._heap)

    def flush(self, *, everything: bool = False) -> int:
        """Send what is due (or everything, in order of due time); return how many were sent."""
        sent = 0
        while (delivery := self._next(everything=everything)) is not None:
            self._deliver(delivery)
            sent += 1
        return sent

    def start(self) -> None:
        """Send from a background thread until `stop`."""
        self._thread = threading.Thread(target=self._loop, name="sandbox-webhooks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the background thread; what was not sent is lost."""
        with self._wake:
            self._stopped = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _queue(self, delivery: OutgoingWebhook, wait: float) -> None:
        with self._wake:
            self._order += 1
            due = self._clock.now() + timedelta(seconds=wait)
            heapq.heappush(self._heap, (due, self._order, delivery))
            self._wake.notify_all()

    def _next(self, *, everything: bool = False) -> OutgoingWebhook | None:
        with self._wake:
            if not self._heap or (not everything and self._heap[0][0] > self._clock.now()):
                return None
            return heapq.heappop(self._heap)[2]

    def _deliver(self, delivery: OutgoingWebhook) -> None:
        target = self.target
        if target is None:
            return
        signed = sign(target.webhook, delivery.body, self._clock.now(), delivery.id)
        headers = {"Content-Type": "application/json", **delivery.headers, **signed}
        with self._sending:
            status = self._send(target.url, headers, delivery.body)
        self._record(delivery, status)
        again = status in {0, 429} or status >= 500
        if again and delivery.attempt < len(self._retries):
            wait = self._retries[delivery.attempt]
            self._queue(replace(delivery, attempt=delivery.attempt + 1, fault=""), wait)

    def _record(self, delivery: OutgoingWebhook, status: int) -> None:
        self._journal.append(
            "webhook",
            "system",
            id=delivery.record_id,
            event=delivery.event,
            status=status,
            fault=delivery.fault,
            note=delivery.id,
        )

    def _loop(self) -> None:
        while True:
            with self._wake:
                if self._stopped:
                    return
                wait = (
                    (self._heap[0][0] - self._clock.now()).total_seconds() if self._heap else 60.0
                )
                if wait > 0:
                    self._wake.wait(wait)
            try:
                self.flush()
            except Exception:  # one bad delivery must not end all of them
                log.exception("sandbox webhook delivery failed")
