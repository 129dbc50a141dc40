"""`POST /webhooks/<connection>`: verifies a webhook, stores it with its hints, then answers.

Nothing is parsed before the signature is verified over the bytes as they came. A refused request
is counted, but leaves no row.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Mapping
from concurrent.futures import Future
from datetime import datetime, timedelta
from functools import lru_cache
from math import ceil
from typing import IO, Any, Final

from flask import Blueprint, Response, request

from bridge.clock import Clock
from bridge.connectors import signing
from bridge.connectors.contract import Connector, Parsed
from bridge.connectors.parsing import is_id
from bridge.core.model.outcome_codes import REFUSALS, UNSIGNED, of_refusal
from bridge.core.model.syncs import Connection, Webhook
from bridge.errors import LedgerError, Malformed, Rejected, TooMany, UnknownConnection
from bridge.scrubber import Scrubber
from bridge.web.receiver import body
from bridge.web.receiver.counters import Counters
from bridge.web.receiver.intake import Delivery, Intake, Receipt
from bridge.web.receiver.late_answer import Answer, LateAnswer, in_json
from bridge.web.receiver.rates import REFUSED, RateMeter
from bridge.web.receiver.refusal_log import RefusalLog
from bridge.web.receiver.shared_numbers import SharedNumbers

DUPLICATE_WINDOW: Final = timedelta(minutes=5)
"""Within it, an equal body without a signed id or time counts as the same delivery."""
MAX_HINTS: Final = 1000
LOGGED_HINTS: Final = 5
"""So many records that a webhook names are named in the log."""
SHORT: Final = 100
"""A text of so many characters may come again, as headers and events do: it is scrubbed once."""
RETRY_AFTER_SECONDS: Final = "5"

_KEPT_HEADERS: Final = frozenset(
    {
        "content-type",
        "user-agent",
        *("webhook-id", "webhook-timestamp", "svix-id", "svix-timestamp"),
        "x-webhook-event",
        "x-webhook-delivery",
    }
)
_NEVER_KEPT: Final = ("auth", "cookie", "secret", "signature", "token", "key", "password")

log = logging.getLogger(__name__)


class WebhookReceiver:
    """Takes webhooks in, from whichever server hands them over."""

    def __init__(
        self,
        connections: Mapping[str, Connection],
        connectors: Mapping[str, Connector],
        intake: Intake,
        clock: Clock,
        counters: Counters,
        refusal_log: RefusalLog,
        limit: int = body.LIMIT,
        *,
        former: Collection[str] = (),
        numbers: SharedNumbers | None = None,
    ) -> None:
        """Make the receiver of these connections.

        `former`: names by which connections were known; what is refused there is counted by name,
        too. `numbers`: those of all processes that take webhooks together.
        """
        self.connections = connections
        self._connectors = connectors
        self._intake = intake
        self._clock = clock
        self._counters = counters
        self._refusal_log = refusal_log
        self._limit = limit
        self._former = former
        self._taken = RateMeter(clock, numbers, "taken")
        self._refused = RateMeter(clock, numbers, "refused")
        secrets = (secret for each in connections.values() for secret in each.secrets)
        self._scrubber = Scrubber(secrets)

    def receive(
        self, name: str, headers: Mapping[str, str], stream: IO[bytes]
    ) -> Answer | LateAnswer:
        """Take what was posted to a connection's address. Header names are lower-case."""
        now, counted = self._clock.now(), ""
        try:
            connection, webhook = _connection(self.connections, name)
            counted = name
            raw = body.read(headers, stream, self._limit)
            signing.verify(webhook, headers, raw, now)
        except Rejected as error:
            # After the signature was checked: strangers cannot use up what the vendor may send.
            wait = self._refused.wait(counted, REFUSED)
            answered = TooMany(wait) if wait else error
            # A name that a stranger has made up is not kept.
            known = name if name in self.connections or name in self._former else ""
            self._count_refusal(known, _reason(answered, self.connections.get(name), headers))
            return _refusal(answered)
        if wait := self._taken.wait(name, webhook.rate_limit):
            self._count_refusal(name, TooMany.__name__)
            return _refusal(TooMany(wait))
        connector = self._connectors[name]
        delivery = _delivery(connection, webhook, connector, headers, raw, now, self._scrubber)
        try:
            begun = self._intake.begin(delivery)
        except Exception as error:  # noqa: BLE001 - it is told below
            begun = Future()
            begun.set_exception(error)
        return LateAnswer(begun, self._intake.patience, lambda: self._answer(delivery, begun))

    def _count_refusal(self, connection: str, reason: str) -> None:
        self._counters.refused(connection, reason)
        self._refusal_log.add(connection, reason)

    def _answer(self, delivery: Delivery, begun: Future[Receipt]) -> Answer:
        name = delivery.connection
        try:
            receipt = self._intake.receipt(begun)
        except Exception as error:
            # Whatever it was, nothing is committed, so nothing may be acknowledged.
            if not isinstance(error, LedgerError):
                log.exception("a delivery of %s was not committed; it was answered with 503", name)
            self._counters.refused(name, "LedgerDown")
            about = {"connection": name, "code": of_refusal("LedgerDown")}
            log.warning("refused a webhook: the ledger could not take it", extra=about)
            again = ("Retry-After", RETRY_AFTER_SECONDS)
            return in_json({"error": "the ledger cannot be reached; send this again"}, 503, again)
        status = delivery.verdict if delivery.verdict in {"ignored", "quarantined"} else "accepted"
        log.info("took a webhook", extra=_about(delivery, status, is_new=receipt.is_new))
        status = status if receipt.is_new else "duplicate"
        self._counters.accepted(name, status)
        return in_json({"id": receipt.id, "status": status}, 202 if receipt.is_new else 200)


def blueprint(receiver: WebhookReceiver) -> Blueprint:
    """Return the route that takes webhooks, for any server."""
    routes = Blueprint("webhooks", __name__)

    @routes.post("/webhooks/<name>")
    def receive(name: str) -> Response:
        answer = receiver.receive(name, _headers(request.environ), request.stream)
        status, headers, said = answer.waited() if isinstance(answer, LateAnswer) else answer
        return Response(said, status, headers)

    return routes


def _reason(error: Rejected, connection: Connection | None, headers: Mapping[str, str]) -> str:
    """Return as what a refusal is counted: an error's class name, or that nothing was signed."""
    webhook = connection.webhook if connection is not None else None
    if webhook is None or isinstance(error, UnknownConnection):
        return type(error).__name__
    return type(error).__name__ if signing.is_signed(webhook, headers) else UNSIGNED


def _headers(environ: Mapping[str, Any]) -> dict[str, str]:
    """Return a request's headers by their lower-case names."""
    headers = {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if value := environ.get(name):
            headers[name.replace("_", "-").lower()] = value
    return headers


def _about(delivery: Delivery, status: str, *, is_new: bool) -> dict[str, str]:
    """Return what the log says of a webhook that was taken: names and ids, nobody's values."""
    about = {"connection": delivery.connection, "event": delivery.event}
    about |= {"status": status if is_new else "duplicate"}
    if delivery.hints:
        about["records"] = ", ".join(hint.id for hint in delivery.hints[:LOGGED_HINTS])
    if status in REFUSALS:
        about["code"] = of_refusal(status)
    return about


def _connection(connections: Mapping[str, Connection], name: str) -> tuple[Connection, Webhook]:
    connection = connections.get(name)
    if connection is None or connection.webhook is None or not connection.webhook.secrets:
        # One answer for all of these: a stranger must not learn which connections there are.
        raise UnknownConnection("no connection of this name takes webhooks")
    return connection, connection.webhook


def _refusal(error: Rejected) -> Answer:
    why = "the signature is missing, wrong or too old" if error.status == 401 else str(error)
    headers = [("Connection", "close")]  # the rest of the body is not going to be read
    if isinstance(error, TooMany):
        headers.append(("Retry-After", str(max(1, ceil(error.wait)))))
    return in_json({"error": why}, int(error.status), *headers)


def _delivery(
    connection: Connection,
    webhook: Webhook,
    connector: Connector,
    headers: Mapping[str, str],
    raw: bytes,
    now: datetime,
    scrubber: Scrubber,
) -> Delivery:
    digest = hashlib.sha256(raw).hexdigest()
    parsed, why = _parse(connector, _signed_headers(webhook, connector, headers), raw, scrubber)
    keep = parsed is None or connection.keep_bodies
    if parsed is None:
        verdict = "quarantined"
    elif parsed.ignored or not parsed.hints:
        verdict, why = "ignored", parsed.ignored or "it names no record"
    else:
        verdict = "pending"
    hints = parsed.hints if parsed and verdict == "pending" else ()
    key, lasts = _key(webhook, headers, parsed, digest, scrubber)
    return Delivery(
        connection=connection.name,
        delivery_key=key,
        lasts=lasts,
        received_at=now,
        headers=_kept_headers(webhook, headers, scrubber),
        projection=_scrubbed(parsed.projection, scrubber) if parsed else {},
        digest=digest,
        event=_shown(parsed.event, scrubber) if parsed else "",
        verdict=verdict,
        why=_shown(why, scrubber, 500),
        body=body.scrub(raw, scrubber) if keep else None,
        entity=hints[0].entity or None if hints else None,
        remote_id=hints[0].id or None if hints else None,
        hints=hints,
    )


def _parse(
    connector: Connector, headers: Mapping[str, str], raw: bytes, scrubber: Scrubber
) -> tuple[Parsed | None, str]:
    try:
        parsed = connector.parse(headers, body.parse(raw))
        _check(parsed, scrubber)
    except Malformed as error:
        return None, str(error)
    except Exception:
        # Our mistake, not the sender's: after a 5xx the vendor would repeat it, and in the end
        # disable the endpoint.
        log.exception("the connector %s cannot read a webhook; please report this", connector.NAME)
        return None, "the bridge itself failed over it: please report what its log says of it"
    return parsed, ""


def _check(parsed: Parsed, scrubber: Scrubber) -> None:
    if len(parsed.hints) > MAX_HINTS:
        raise Malformed(f"{len(parsed.hints)} records in one delivery; allowed {MAX_HINTS}")
    for hint in parsed.hints:
        if not is_id(hint.id):
            raise Malformed(f"{hint.id[:40]!r} cannot be a record's id")
        if scrubber.holds(hint.id):
            raise Malformed("a secret of the bridge's stands where a record's id should be")


def _signed_headers(
    webhook: Webhook, connector: Connector, headers: Mapping[str, str]
) -> Mapping[str, str]:
    """Leave out a delivery's number that was not signed: anybody can write another one there."""
    if signing.signed_id(webhook, headers):
        return headers
    usual = connector.SIGNING.delivery if connector.SIGNING is not None else ""
    unsigned = {webhook.delivery.lower(), usual.lower()}
    return {name: value for name, value in headers.items() if name not in unsigned}


def _key(
    webhook: Webhook,
    headers: Mapping[str, str],
    parsed: Parsed | None,
    digest: str,
    scrubber: Scrubber,
) -> tuple[str, timedelta | None]:
    """Return what tells a delivery from others: its signed id or time, else its body for a while.

    With it comes for how long; None: for good.

    An id that the connector finds in the body comes with the event and the record. Even a forged
    one does no harm: the hints of a duplicate are enqueued like those of the first.
    """
    identity = signing.signed_id(webhook, headers) or (parsed.delivery if parsed else "")
    if identity:
        storable = len(identity) <= 150 and identity.isprintable() and not scrubber.holds(identity)
        return f"id:{identity if storable else _hash(identity)}", None
    if signing.signs_time(webhook):
        stamp = signing.signed_time(webhook, headers)
        return f"signed:{_hash(f'{stamp}.{digest}')}", None
    return f"body:{digest}", DUPLICATE_WINDOW


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _kept_headers(
    webhook: Webhook, headers: Mapping[str, str], scrubber: Scrubber
) -> dict[str, str]:
    kept = _kept_names(webhook.delivery, webhook.timestamp_header, signing.header_of(webhook))
    return {name: _shown(headers[name], scrubber) for name in kept if name in headers}


@lru_cache(maxsize=64)
def _kept_names(delivery: str, stamp: str, signature: str) -> tuple[str, ...]:
    wanted = _KEPT_HEADERS | {delivery.lower(), stamp.lower()}
    return tuple(
        name
        for name in sorted(wanted - {signature, ""})
        if name in _KEPT_HEADERS or not any(word in name for word in _NEVER_KEPT)
    )


def _shown(text: str, scrubber: Scrubber, length: int = 200) -> str:
    if len(text) > SHORT:
        return body.clean(scrubber.beginning(text, length), length)
    return _shown_again(text, scrubber)


@lru_cache(maxsize=1024)
def _shown_again(text: str, scrubber: Scrubber) -> str:
    return body.clean(scrubber.beginning(text, SHORT))


def _scrubbed(projection: Mapping[str, Any], scrubber: Scrubber) -> dict[str, Any]:
    return {
        body.clean(str(name), 60): _shown(value, scrubber) if isinstance(value, str) else value
        for name, value in projection.items()
        if isinstance(value, str | int | float | bool | None)
    }
