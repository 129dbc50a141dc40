"""Every error that the bridge raises on purpose. Each has one outcome, and a message that says what to do next."""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from typing import ClassVar


class Outcome(StrEnum):
    """What becomes of the work that met an error. One function in the flow reads it; nothing else decides."""

    RETRY = "retry"
    """Again later, with backoff and jitter or the vendor's Retry-After."""
    REFETCH = "refetch"
    """Our picture is old: read again before deciding."""
    PARK = "park"
    """Set aside until an admin or a changed mapping frees it."""
    IGNORE = "ignore"
    """Nothing to do."""
    STOP = "stop"
    """The connection is refused: stop it, once, loudly."""


class BridgeError(Exception):
    """Something went wrong that the bridge foresaw."""

    outcome: ClassVar[Outcome] = Outcome.PARK


class ConfigError(BridgeError):
    """Configuration cannot be used. `problems` lists every one of them as `file:line: path: what; allowed …`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class LedgerError(BridgeError):
    """The ledger cannot be used as it is (newer version, damaged, wrong address)."""


class UnknownName(BridgeError):
    """Nothing has the name that was given (a ticket, a connection, a field); the message says what has."""


class NotPossible(BridgeError):
    """What was asked for does not fit what is there; the message says what would."""


class Busy(BridgeError):
    """Somebody else is at work on it just now: ask again in a moment."""


class LeaseLost(BridgeError):
    """Another worker has taken the link over; what we were about to commit is void and will be observed again."""

    outcome = Outcome.REFETCH


class Rejected(BridgeError):
    """A webhook was not accepted. `status` is the HTTP answer."""

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


class TooLarge(Rejected):
    """The body is larger than the limit."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class UnsupportedMedia(Rejected):
    """The body is not declared as JSON, or is compressed."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class Malformed(Rejected):
    """Authentic, but not something that can be understood: quarantined, and answered 2xx so that the vendor goes on."""

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
    """The read did not work this time: timeout, reset, 5xx, an answer that isn't what was documented."""

    outcome = Outcome.RETRY


class RateLimited(RemoteError):
    """The vendor asks us to wait; `retry_after` is in seconds, None if it did not say for how long."""

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
    """The connection is paused or stopped: the call was not made, and its work waits until it is in use again."""


class UnknownOutcome(RemoteError):
    """A write was sent and its fate is not known: never repeated blindly, first looked up."""

    outcome = Outcome.REFETCH


class Unauthorised(RemoteError):
    """The credentials are refused (401, 402, 403): the connection stops until an admin resumes it."""

    outcome = Outcome.STOP


class NotFound(RemoteError):
    """The record is not there (404): a hint that it was deleted, not a proof."""

    outcome = Outcome.REFETCH


class AlreadyExists(RemoteError):
    """The vendor says that it is done already (409): verified by a read."""

    outcome = Outcome.REFETCH


class Refused(RemoteError):
    """The vendor will never accept this (400, 405, 409, 422): parked with the reason."""


class Lacking(Refused):
    """The system does not know this element of a set (a tag of its catalogue): not carried, until somebody moves it."""


class Unsupported(BridgeError):
    """The system cannot do this, by its own documents; the planner should not have asked."""
