"""Sends notices to their endpoints, each in a thread of its own, until they are taken.

An endpoint that hangs delays itself alone. A notice keeps its id through all tries, so a receiver
that got one twice can tell: what is sent at least once may come more often.
"""

from __future__ import annotations

import json
import logging
import random
import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from bridge.clock import Clock
from bridge.connectors.signing import standard_headers
from bridge.core.model.notice_types import NoticeEndpoint
from bridge.core.model.outcome_codes import Code
from bridge.errors import BridgeError
from bridge.http.notice_call import NoticeAnswer, NoticeCaller
from bridge.ledger import notice_outbox
from bridge.ledger.database import Ledger
from bridge.ledger.notice_outbox import DELIVERED, FAILED, WAITING, ClaimedSending

LOOK_SECONDS: Final = 1.0
CLAIM: Final = timedelta(seconds=60)
"""A call takes a quarter of it; whoever died over one holds it up for so long."""
RETRIES: Final = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""The waits between tries, as standardwebhooks.com advises (read 2026-11): over three days."""
JITTER: Final = 0.1
"""Each wait is longer or shorter by up to this part of it."""

log = logging.getLogger(__name__)


class NoticePoster(Protocol):
    """Sends a body, as `NoticeCaller` does."""

    def post(self, body: bytes, headers: dict[str, str]) -> NoticeAnswer:
        """Send it."""


def body_of(kind: str, at: datetime, data: dict[str, Any]) -> bytes:
    """Return the body of a notice: the same bytes at each try."""
    stamp = at.isoformat().replace("+00:00", "Z")
    said = {"type": kind, "timestamp": stamp, "data": data}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


class NoticeSender:
    """Sends what waits for one endpoint."""

    def __init__(
        self,
        endpoint: NoticeEndpoint,
        ledger: Ledger,
        clock: Clock,
        owner: str,
        *,
        caller: NoticePoster | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._ledger, self._clock, self._owner = ledger, clock, owner
        self._caller = caller or NoticeCaller(endpoint.url.reveal())
        self._rng = rng or random.Random()

    def send_next(self) -> bool:
        """Send the notice that is due first, and store how that went; False: there is none."""
        name, now = self.endpoint.name, self._clock.now()
        with self._ledger.read() as tx:
            if not notice_outbox.is_due(tx, name, now):
                return False
        with self._ledger.transaction() as tx:
            claimed = notice_outbox.claim(tx, name, self._owner, now, now + CLAIM)
        if claimed is None:
            return False
        body = body_of(claimed.kind, claimed.at, claimed.data)
        headers = standard_headers(self.endpoint.secrets, body, now, claimed.notice)
        self._store(claimed, self._caller.post(body, headers))
        return True

    def _store(self, claimed: ClaimedSending, answer: NoticeAnswer) -> None:
        name, now = self.endpoint.name, self._clock.now()
        state, due = self._verdict(claimed, answer, now)
        with self._ledger.transaction() as tx:
            mine = notice_outbox.tried(
                tx,
                claimed,
                self._owner,
                now,
                state=state,
                status=answer.status,
                outcome=answer.words,
                due_at=due,
            )
            if mine and answer.is_taken:
                notice_outbox.succeeded(tx, name, now)
            elif mine:
                notice_outbox.failed(tx, name, answer.words, now, gone=answer.is_gone)
        self._tell(claimed, answer, state)

    def _verdict(
        self, claimed: ClaimedSending, answer: NoticeAnswer, now: datetime
    ) -> tuple[str, datetime]:
        """Return the state of the sending, and when it is tried again."""
        if answer.is_taken:
            return DELIVERED, now
        if answer.is_gone or claimed.attempts >= len(RETRIES):
            return FAILED, now
        wait = RETRIES[claimed.attempts] * (1 + self._rng.uniform(-JITTER, JITTER))
        return WAITING, now + wait

    def _tell(self, claimed: ClaimedSending, answer: NoticeAnswer, state: str) -> None:
        about = {"endpoint": self.endpoint.name, "notice": claimed.notice, "status": answer.status}
        if answer.is_taken:
            log.info("notice delivered: %s", claimed.kind, extra=about)
            return
        code = Code.NOTICE_UNSENT if state == FAILED else Code.NOTICE_FAILING
        code = Code.NOTICE_GONE if answer.is_gone else code
        log.warning(
            "notice not delivered: %s, %s", claimed.kind, answer.words, extra=about | {"code": code}
        )

    def run(self, stop: threading.Event) -> None:
        """Send whatever is due until told to stop; an outage of the ledger is waited out."""
        while not stop.is_set():
            try:
                busy = self.send_next()
            except BridgeError:
                busy = False  # the clock's own duties say so
            except Exception:
                log.exception("sending notices to %s failed, and goes on", self.endpoint.name)
                busy = False
            if not busy:
                stop.wait(LOOK_SECONDS)


def begin_sending(
    endpoints: Iterable[NoticeEndpoint],
    ledger: Ledger,
    clock: Clock,
    owner: str,
    stop: threading.Event,
) -> list[threading.Thread]:
    """Start a thread for each endpoint.

    None outlives the process: a call that was under way is made again by whoever comes next.
    """
    threads = []
    for endpoint in endpoints:
        send: Callable[[threading.Event], None]
        send = NoticeSender(endpoint, ledger, clock, owner).run
        threads.append(
            threading.Thread(
                target=send, args=(stop,), name=f"notices-{endpoint.name}", daemon=True
            )
        )
        threads[-1].start()
    return threads
