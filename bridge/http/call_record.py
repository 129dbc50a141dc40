"""Writes down what a call was and what became of it, and never a credential.

Headers are not written down at all, but for the two that are named here: the vendor's name for the
call and its Retry-After. Of bodies that is their shape, and of a query the names, with such values
as cannot be about a person. Where the connection says `keep_bodies`, path and bodies are kept as
they were, as far as they hold no secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from bridge import foreign_json
from bridge.core.model.body_shapes import BodyShapes
from bridge.core.model.outcome_codes import of_call
from bridge.core.model.syncs import Connection
from bridge.core.model.vendor_call import KeptBodies, VendorCall
from bridge.errors import RemoteError
from bridge.http import call_purpose
from bridge.scrubber import Scrubber

MAX_KEPT_CHARS: Final = 16 * 1024
"""Of each body."""
MAX_PATH_CHARS: Final = 300
MOST_SHAPES: Final = 20
"""Of one connection in a second, so that many calls cost little each; those that failed aside."""
HIDDEN: Final = "•••"
_PLAIN_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~$-]{0,100}){1,10}+")
_PLAIN_SEGMENT: Final = re.compile(r"[A-Za-z0-9._~:$-]{0,100}")
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_.$\[\]-]{1,40}")
_PLAIN_VALUE: Final = re.compile(
    r"-?[0-9]{1,12}|true|false"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.]{5,15}(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
"""Numbers and times say nothing of a person; a longer number may be one's telephone."""
_WORD: Final = re.compile(r"[a-z0-9_,.-]{1,60}")
_WORDY: Final = frozenset(
    {"limit", "page", "per_page", "page_size", "offset", "sort", "sort_by", "order", "order_by"}
    | {"direction", "status", "state", "type", "entity", "include", "expand", "fields", "format"}
)
"""Names of a query whose values are words of the vendor's."""

Keep = Callable[[VendorCall], None]
"""Takes a call in to be kept. Called on whatever thread made it, so it must be quick."""


@dataclass(slots=True)
class CallTrace:
    """What is known of a call while it is made."""

    method: str
    path: str
    params: Mapping[str, Any] | None
    sent: Any
    sent_bytes: int
    at: datetime
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    body: Any = None
    """The answer as it was read."""


class CallRecorder:
    """Writes down the calls of one connection."""

    def __init__(self, connection: Connection, scrubber: Scrubber, keep: Keep) -> None:
        self._connection = connection
        self._scrubber = scrubber
        self._keep = keep
        self._base = urlsplit(connection.base_url.rstrip("/")).path
        self._shapes = BodyShapes(lambda name: scrubber.text(name) == name)
        self._second = self._in_second = 0

    def record(
        self,
        trace: CallTrace,
        seconds: float,
        error: RemoteError | None,
        *,
        write: bool,
        retry_after: float | None,
        request_id: str,
    ) -> None:
        """Write one call down."""
        purpose, connection = call_purpose.current(), self._connection
        whole = error is not None or self._has_room(trace.at)
        body = trace.body if error is None else _parsed(trace.content)
        self._keep(
            VendorCall(
                at=trace.at,
                connection=connection.name,
                why=purpose.why,
                method=trace.method,
                path=self._path(trace),
                status=trace.status,
                ms=round(seconds * 1000),
                sent_bytes=trace.sent_bytes,
                received_bytes=len(trace.content),
                code="" if error is None else of_call(type(error).__name__, write=write),
                error="" if error is None else str(error),
                link_id=purpose.link_id,
                attempt=purpose.attempt,
                retry_after=retry_after,
                request_id=request_id,
                sent=self._shapes.of(trace.sent) if whole else {},
                answered=self._shapes.of(body) if whole else {},
                kept=self._kept(trace) if whole and connection.keep_bodies else None,
            )
        )

    def _has_room(self, now: datetime) -> bool:
        """Return whether this is one of the first calls of its second."""
        second = int(now.timestamp())
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += 1
        return self._in_second <= MOST_SHAPES

    def _path(self, trace: CallTrace) -> str:
        """Return the path that was called, and of its query what may be shown to anybody."""
        if not trace.params and _PLAIN_PATH.fullmatch(trace.path):
            path = trace.path[:MAX_PATH_CHARS]
            return path if self._scrubber.is_clear(path) else self._scrubber.text(path)
        path, _, query = trace.path.partition("?")
        if not path.startswith("/"):
            path = urlsplit(path).path.removeprefix(self._base)
        shown = "/".join(map(_segment, path.split("/")))
        given = [part.partition("=")[::2] for part in query.split("&") if part]
        given += [(name, value) for name, value in (trace.params or {}).items()]
        if given:
            shown += "?" + "&".join(
                f"{name if _PLAIN_NAME.fullmatch(name) else HIDDEN}={_value(name, value)}"
                for name, value in given
                if value is not None
            )
        return self._scrubber.text(shown[:MAX_PATH_CHARS])

    def _kept(self, trace: CallTrace) -> KeptBodies:
        query = urlencode(dict(trace.params or {}), doseq=True)
        path = f"{trace.path}?{query}" if query else trace.path
        sent = "" if trace.sent is None else foreign_json.dumps(trace.sent).decode()
        answered = trace.content[: 4 * MAX_KEPT_CHARS].decode("utf-8", "replace")
        return KeptBodies(
            *(self._scrubber.beginning(text, MAX_KEPT_CHARS) for text in (path, sent, answered))
        )


def _segment(given: str) -> str:
    """Return a part of a path, unless it is an address or words of somebody's."""
    return given if _PLAIN_SEGMENT.fullmatch(given) else HIDDEN


def _value(name: str, value: Any) -> str:
    """Return a value of a query, or its length where it might be about a person."""
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    if _PLAIN_VALUE.fullmatch(text) or (name in _WORDY and _WORD.fullmatch(text)):
        return text
    return f"{HIDDEN}({len(text)})"


def _parsed(content: bytes) -> Any:
    """Return what an error said, if it said it in JSON."""
    try:
        return foreign_json.loads(content) if content.strip() else None
    except ValueError:
        return None
