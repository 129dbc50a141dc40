"""The Flask application: all routes, and answers to errors that reveal nothing about the inside."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

from flask import Flask, Response, jsonify
from werkzeug.exceptions import HTTPException

from bridge.clock import Clock
from bridge.connectors.contract import Connector
from bridge.core.model.syncs import Connection, Secret
from bridge.errors import LedgerError
from bridge.ledger.database import Ledger
from bridge.ledger.former_names import former_names
from bridge.operations.trouble import Trouble
from bridge.queue.bell import Bell
from bridge.web import health
from bridge.web.receiver import body, webhooks
from bridge.web.receiver.counters import Counters
from bridge.web.receiver.intake import DirectIntake, Intake
from bridge.web.receiver.late_answer import HARDENED
from bridge.web.receiver.refusal_log import RefusalLog
from bridge.web.receiver.shared_numbers import SharedNumbers
from bridge.web.receiver.webhooks import WebhookReceiver

log = logging.getLogger(__name__)


class ReceiverConfig(Protocol):
    """The part of the configuration that the receiver needs."""

    @property
    def connections(self) -> Mapping[str, Connection]:
        """The configured connections, by name."""


def create_app(
    config: ReceiverConfig,
    ledger: Ledger,
    doorbell: Bell,
    clock: Clock,
    connectors: Mapping[str, Connector],
    *,
    intake: Intake | None = None,
    metrics_token: Secret | None = None,
    limit: int = body.LIMIT,
    troubles: Callable[[], Iterable[Trouble]] = tuple,
    numbers: SharedNumbers | None = None,
) -> Flask:
    """Make the application; without an `intake` each request commits in its own thread.

    `numbers`: those of all processes that serve it together.
    """
    app = Flask(__name__)
    app.url_map.merge_slashes = False  # an address with `//` is no address of ours: 404, no detour
    numbers = numbers or SharedNumbers()
    counters = Counters(numbers)
    receiver = WebhookReceiver(
        config.connections,
        connectors,
        intake or DirectIntake(ledger, doorbell),
        clock,
        counters,
        RefusalLog(ledger, clock),
        limit,
        former=_former_names(ledger),
        numbers=numbers,
    )
    app.extensions["bridge"] = {"counters": counters, "receiver": receiver}
    app.register_blueprint(webhooks.blueprint(receiver))
    app.register_blueprint(
        health.blueprint(ledger, doorbell, clock, counters, metrics_token, troubles)
    )

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> tuple[Response, int]:
        answer = jsonify(error=error.name)
        for name, value in error.get_headers():
            if name in {"Allow", "Retry-After", "WWW-Authenticate"}:
                answer.headers[name] = value
        return answer, error.code or 500

    @app.errorhandler(Exception)
    def failed(error: Exception) -> tuple[Response, int]:
        log.error("a request failed; it was answered with 500", exc_info=error)
        return jsonify(error="Internal Server Error"), 500

    @app.after_request
    def harden(answer: Response) -> Response:
        for name, value in HARDENED:
            answer.headers.setdefault(name, value)
        return answer

    return app


def _former_names(ledger: Ledger) -> Collection[str]:
    """Return under which names connections were known; none where the ledger cannot say."""
    try:
        with ledger.read() as tx:
            return former_names(tx)
    except LedgerError:
        return ()
