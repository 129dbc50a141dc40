"""Webhooks on their way: none arrives by itself. The one who plays decides which, when, how often and in what order."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from bridge.clock import Clock
from bridge.connectors.signing import sign
from bridge.sandbox.outbox import OutgoingWebhook, WebhookTarget

Post = Callable[[str, Mapping[str, str], bytes], int]


@dataclass(slots=True)
class Mail:
    """Stands where a sandbox has its outbox."""

    clock: Clock
    post: Post
    target: WebhookTarget | None = None
    waiting_deliveries: list[OutgoingWebhook] | None = None

    def __post_init__(self) -> None:
        """Begin empty."""
        self.waiting_deliveries = []

    @property
    def queued(self) -> list[OutgoingWebhook]:
        """What is on its way, the oldest first."""
        assert self.waiting_deliveries is not None  # noqa: S101 - set above
        return self.waiting_deliveries

    @property
    def waiting(self) -> int:
        """How many are on their way."""
        return len(self.queued)

    def emit(
        self,
        event: str,
        record_id: str,
        body: Mapping[str, object],
        headers: Mapping[str, str],
        unique: str,
    ) -> None:
        """Take a webhook from the sandbox."""
        raw = json.dumps(body, separators=(",", ":")).encode()
        self.queued.append(OutgoingWebhook(unique, event, record_id, raw, dict(headers)))

    def lose(self, number: int) -> None:
        """Lose one for good."""
        if self.queued:
            del self.queued[number % len(self.queued)]

    def deliver(self, number: int, *, keep: bool = False) -> int:
        """Bring one, signed now, as a vendor's retry is; `keep`: it will come again. Gives the HTTP status."""
        if not self.queued or self.target is None:
            return 0
        at = number % len(self.queued)
        webhook = self.queued[at]
        signed = sign(self.target.webhook, webhook.body, self.clock.now(), webhook.id)
        headers = {"Content-Type": "application/json", **webhook.headers, **signed}
        status = self.post(self.target.url, headers, webhook.body)
        if 200 <= status < 300 and not keep:
            del self.queued[at]
        else:
            self.queued[at] = replace(webhook, attempt=webhook.attempt + 1)
        return status
