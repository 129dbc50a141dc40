"""Webhooks on their way. None arrives by itself: the script says which, when and how often."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from bridge.connectors.signing import sign
from bridge.sandbox.outbox import OutgoingWebhook, WebhookTarget
from bridge.simulate.virtual_time import Skewed

Post = Callable[[str, Mapping[str, str], bytes], int]


@dataclass(slots=True)
class Mail:
    """Takes the place of a sandbox's outbox."""

    clock: Skewed
    """Of the machine that signs them. A vendor whose is as wrong as one that serves the API may be
    has all its webhooks refused."""
    post: Post
    target: WebhookTarget | None = None
    queued: list[OutgoingWebhook] = field(default_factory=list)
    """On their way, the oldest first."""

    @property
    def waiting(self) -> int:
        """Return how many are on their way."""
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
        """Deliver one, signed now, as a vendor's retry is; return the HTTP status.

        `keep`: it will come again.
        """
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
