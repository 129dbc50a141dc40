"""The bridge's errors: each class has one outcome, each message says what to do next."""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from typing import ClassVar


class Outcome(StrEnum):
    """The fate of work that met an error; only `engine/outcomes.py` acts on it."""

    RETRY = "retry"
    """Try again later, with backoff and jitter, or after the vendor's Retry-After."""
    REFETCH = "refetch"
    """Read again before deciding: what we know is out of date."""
    PARK = "park"
    """Park it until an operator or a changed mapping frees it."""
    IGNORE = "ignore"
    """Nothing to do."""
    STOP = "stop"
    """Stop the connection: its credentials are refused."""


class BridgeError(Exception):
    """The base of all errors that the bridge raises on purpose."""

    outcome: ClassVar[Outcome] = Outcome.PARK


class ConfigError(BridgeError):
    """The configuration cannot be used; `problems` are lines `file:line: path: what; allowed …`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class NotAccepted(ConfigError):
    """The files changed in a way that looks like a mistake; `problems` says what would happen."""

    def __init__(self, problems: list[str]) -> None:
        way_out = "nothing was started; if it is meant so, say --accept (once)"
        super().__init__([*problems, way_out])


class FilesDiffer(ConfigError):
    """The files are not those that the running processes were started with."""


class LedgerError(BridgeError):
    """The ledger cannot be used as it is (newer version, damaged, wrong address)."""


class NoLedger(LedgerError):
    """There is no ledger yet, or nothing in it."""


class UnknownName(BridgeError):
    """Nothing (ticket, connection, field) has the given name; the message says which there are."""


class NotPossible(BridgeError):
    """The request does not fit the present state; the message says what would."""


class Busy(BridgeError):
    """Somebody else is at work on it just now: ask again in a moment."""


class LeaseLost(BridgeError):
    """The lease is not ours any more, or too short for the call; the record is read again.

    Most often the worker was held up past the deadline of its call, so that nothing was sent. Only
    where the ledger raises it has another worker come in between; then nothing was stored.
    """

    outcome = Outcome.REFETCH


class Rejected(BridgeError):
    """A webhook was not accepted; `status` is the HTTP answer."""

    status: ClassVar[HTTPStatus] = HTTPStatus.BAD_REQUEST


class BadSignature(Rejected):
    """The signature is missing or does not match any live secret."""

    status = HTTPStatus.UNAUTHORIZED


class Expired(Rejected):
    """The signed timestamp is outside the tolerance."""

    status = HTTPStatus.UNAUTHORIZED


class UnknownConnection(Rejected):
    """No connection of this name takes webhooks."""

    status = HTTPStatus.NOT_FOUND


class TooMany(Rejected):
    """More webhooks came than are taken in the time; they are to be sent again later."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, wait: float) -> None:
        super().__init__("too many webhooks at once; send this again later")
        self.wait = wait


class TooLarge(Rejected):
    """The body is larger than the limit."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnsupportedMedia(Rejected):
    """The body is not declared as JSON, or is compressed."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class Malformed(Rejected):
    """Authentic, but not understood: quarantined, and answered 2xx so that the vendor goes on."""

    status = HTTPStatus.ACCEPTED


class RemoteError(BridgeError):
    """A vendor's API answered with an error, or not at all.

    `status` is the HTTP status (None: no answer), `request_id` the vendor's, `detail` a scrubbed
    excerpt.
    """

    def __init__(
        self,
        connection: str,
        message: str,
        *,
        status: int | None = None,
        request_id: str = "",
        detail: str = "",
    ) -> None:
        shown = f"{connection}: {message}"
        if request_id:
            shown += f" (request {request_id})"
        if detail:
            shown += f": {detail}"
        super().__init__(shown)
        self.connection = connection
        self.status = status
        self.request_id = request_id
        self.detail = detail


class Unavailable(RemoteError):
    """The call failed this time: timeout, reset, 5xx, or an answer that is not as documented."""

    outcome = Outcome.RETRY


class RateLimited(RemoteError):
    """The vendor asks us to wait; `retry_after` is in seconds, None if it named no time."""

    outcome = Outcome.RETRY

    def __init__(
        self, connection: str, message: str, *, retry_after: float | None = None, **fields: object
    ) -> None:
        super().__init__(connection, message, **fields)  # type: ignore[arg-type]
        self.retry_after = retry_after


class NotSent(RemoteError):
    """The write certainly did not reach the vendor (connection refused, name not found)."""

    outcome = Outcome.RETRY


class Resting(NotSent):
    """The call was not made: the connection is paused or stopped, and its work waits."""


class UnknownOutcome(RemoteError):
    """A write was sent and not answered: it is looked up before it is ever repeated."""

    outcome = Outcome.REFETCH


class Unauthorised(RemoteError):
    """The credentials are refused (401, 402, 403): the connection stops until it is resumed."""

    outcome = Outcome.STOP


class NotFound(RemoteError):
    """The record is not there (404), which hints that it was deleted, but does not prove it."""

    outcome = Outcome.REFETCH


class AlreadyExists(RemoteError):
    """The vendor says that it is done already (409), which a read verifies."""

    outcome = Outcome.REFETCH


class Refused(RemoteError):
    """The vendor will never accept this (400, 405, 409, 422): it is parked with the reason."""


class Withheld(RemoteError):
    """The system keeps this one record from us (restricted, hidden): it alone is parked."""


class Lacking(Refused):
    """The system does not know an element of a set (a tag missing in its catalogue)."""


class Unsupported(BridgeError):
    """The system cannot do this, by its documents; the planner should not have asked for it."""
