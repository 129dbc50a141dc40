"""The HTTP client: every call that the bridge makes, by requests that are sent as prepared.

One pool of connections a vendor. A call has one deadline for the whole of it, follows no redirect,
reads no environment (proxies, authorities, .netrc), keeps no cookie, stops at a size limit, and
ends in an `Answer` or in one error of bridge.errors whose text shows no secret. Nothing is retried:
whoever called knows whether a repetition is safe. Nothing is sent either before the time that a
vendor's Retry-After named, whatever a caller made of that answer.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter

from bridge import foreign_json
from bridge.clock import Clock, TimeLimit
from bridge.core.model.syncs import Connection
from bridge.errors import (
    AlreadyExists,
    NotFound,
    NotSent,
    RateLimited,
    Refused,
    RemoteError,
    Unauthorised,
    Unavailable,
    UnknownOutcome,
)
from bridge.http import request_count
from bridge.http.bounded_sockets import BoundedAdapter
from bridge.http.call_bounds import (
    LARGE_ANSWER_BYTES,
    MAX_ANSWER_BYTES,
    MAX_ANSWER_SIGNS,
    CallBounds,
    TooMuch,
    kept,
)
from bridge.http.call_failures import FAILED, UNSENDABLE, Failure
from bridge.http.call_record import CallRecorder, CallTrace, Keep
from bridge.http.call_template import CallTemplate
from bridge.http.caller import Answer, Auth
from bridge.http.clock_skew import ClockSkew, http_date
from bridge.scrubber import Scrubber

MAX_ERROR_BYTES = 64 * 1024
"""Of a body that is no 2xx; the rest is left unread."""
CHUNK_BYTES = 64 * 1024
EXCERPT_LENGTH = 300
"""Characters of an error's body that are kept."""
MAX_RETRY_AFTER = 3600.0
"""Seconds. A longer Retry-After is cut: the next try will be told again."""
BELIEVED_RETRY_AFTER = 24 * 3600.0
"""A quota may last until tomorrow; a year is a mistake, and must not stop a connection."""
MAX_SCRUBBED_CHARS = 4 * 1024
"""Of an error's body that are looked through for what may be shown."""
REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-correlation-id", "cf-ray")

MAX_REQUEST_ID_LENGTH = 100
MAX_HOST_LENGTH = 100
PROXY_REFUSES = 407
"""The answer of a proxy to a call that it did not pass on."""
STATUS_ERRORS: Mapping[int, type[RemoteError]] = {
    401: Unauthorised,
    402: Unauthorised,
    403: Unauthorised,
    404: NotFound,
    409: AlreadyExists,
    410: NotFound,
    429: RateLimited,
}
"""What an answer means unless the connector's ERRORS say otherwise; other 4xx are `Refused`."""

# It never goes back over what it has read, so no text makes it slow.
_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]++@[\w-]++(?:\.[\w-]++)++")
_UNPRINTABLE = re.compile(r"[^\x21-\x7e]+")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=~|{}-]+")
"""Of what a request's name may consist: nothing that looks like words of ours around it."""

parsing_large = threading.Lock()
"""Held while a large answer is parsed. One for the whole process: connections share its memory."""


class Http:
    """Calls one connection's API. Safe to share between threads.

    `adapter` replaces the network (an in-process application, for the simulation and the tests).
    `keep` is handed each call when it is over, to be looked at later.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        clock: Clock,
        adapter: BaseAdapter | None = None,
        keep: Keep | None = None,
    ) -> None:
        self.connection = connection
        self._clock = clock
        self._skew = ClockSkew()
        self._base = connection.base_url.rstrip("/")
        self._origin = urlsplit(self._base)[:2]
        self._held: TimeLimit | None = None
        self._scrubber = Scrubber(connection.secrets)
        self._recorder = CallRecorder(connection, self._scrubber, keep) if keep else None
        self._template = CallTemplate(self._base)
        size = max(connection.concurrency, 1)
        self._adapter = adapter or BoundedAdapter(
            connections=size, authorities=connection.authorities
        )
        proxy = connection.proxy.address.reveal() if connection.proxy else ""
        self._proxies = {"http": proxy, "https": proxy} if proxy else None

    def request(
        self,
        method: str,
        path_or_url: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        write: bool,
        auth: Auth | None,
        errors: Mapping[int, type[RemoteError]] | None = None,
    ) -> Answer:
        """Make one call. Raises one of the `RemoteError` family unless the answer is a 2xx of JSON.

        `write`: it changes something there, so that a failure may leave its fate unknown. `errors`:
        status -> error class, before STATUS_ERRORS. A full URL must have the scheme and host of the
        connection's base URL: credentials go nowhere else.
        """
        self._check_place(path_or_url)
        self._check_retry_after()
        bounds = CallBounds(self.connection.timeout)
        data = None if json is None else foreign_json.dumps(json)
        sent_at = self._clock.now()
        trace = CallTrace(method, path_or_url, params, json, len(data or b""), sent_at)
        began = time.monotonic()
        request_count.add()
        try:
            answer = self._call(trace, data, auth, bounds, write=write, errors=errors or {})
        except RemoteError as error:
            self._record(trace, began, error, write=write)
            raise
        self._record(trace, began, None, write=write)
        return answer

    def _call(
        self,
        trace: CallTrace,
        data: bytes | None,
        auth: Auth | None,
        bounds: CallBounds,
        *,
        write: bool,
        errors: Mapping[int, type[RemoteError]],
    ) -> Answer:
        with kept(bounds):
            try:
                response = self._adapter.send(
                    self._template.request(trace.method, trace.path, trace.params, data, auth),
                    stream=True,
                    timeout=self.connection.timeout,
                    proxies=self._proxies,
                )
            except UNSENDABLE:
                raise self._error(
                    Refused, "the request cannot be put together; check base_url and credentials"
                ) from None
            except FAILED as error:
                raise self._failed(error, write=write) from None
            bounds.begin_body()
            with response:
                return self._answer(response, bounds, trace, write=write, errors=errors)

    def _record(
        self, trace: CallTrace, began: float, error: RemoteError | None, *, write: bool
    ) -> None:
        if self._recorder is not None:
            self._recorder.record(
                trace,
                time.monotonic() - began,
                error,
                write=write,
                retry_after=self._retry_after(trace.headers) if error is not None else None,
                request_id=self._request_id(trace.headers),
            )

    def now(self) -> datetime:
        """Return the present time by the clock that dates the answers."""
        return self._clock.now()

    def close(self) -> None:
        """Close the pooled connections."""
        self._adapter.close()

    def _check_place(self, path_or_url: str) -> None:
        """Refuse an address that is not the vendor's."""
        if not path_or_url.startswith("/") and urlsplit(path_or_url)[:2] != self._origin:
            raise self._error(Refused, "points outside base_url; the call was not made")

    def _check_retry_after(self) -> None:
        """Refuse to call before the time that the vendor's Retry-After named."""
        left = 0.0 if self._held is None else self._held.left()
        if left > 0:
            raise self._error(
                RateLimited,
                f"wants no call for {left:.1f} s more; nothing was sent",
                retry_after=left,
            )

    def _answer(
        self,
        response: requests.Response,
        bounds: CallBounds,
        trace: CallTrace,
        *,
        write: bool,
        errors: Mapping[int, type[RemoteError]],
    ) -> Answer:
        status = trace.status = response.status_code
        headers = trace.headers = dict(response.headers.lower_items())
        clocks = self._skew.learn(headers.get("date"), trace.at, self._clock.now())
        good = 200 <= status < 300
        doubtful = UnknownOutcome if write else Unavailable
        limit = MAX_ANSWER_BYTES if good else MAX_ERROR_BYTES

        def useless(words: str, detail: str = "") -> RemoteError:
            return self._error(doubtful, words, detail=detail, **self._named(status, headers))

        try:
            # After 1xx the answer proper may come: unread, the connection is closed, else the next
            # call on it would get that.
            content = b"" if status < 200 else content_of(response, bounds, limit, cut=not good)
        except FAILED as error:
            if good:
                words = Failure(error).words_of_broken_answer(self.connection.timeout)
                raise useless(words) from None
            content = b""
        trace.content = content
        if not good:
            fields = self._named(status, headers)
            raise self._refusal(content, headers, fields, write=write, errors=errors)
        if len(content) > MAX_ANSWER_SIGNS < sum(map(content.count, b",:[{")):
            raise useless(f"answered {status} with more values than it may")
        try:
            with parsing_large if len(content) > LARGE_ANSWER_BYTES else nullcontext():
                trace.body = foreign_json.loads(content) if content.strip() else None
        except ValueError:
            words = f"answered {status} without JSON"
            raise useless(words, self._excerpt(content)) from None
        return Answer(status, headers, trace.body, trace.at, clocks)

    def _refusal(
        self,
        content: bytes,
        headers: Mapping[str, str],
        fields: dict[str, Any],
        *,
        write: bool,
        errors: Mapping[int, type[RemoteError]],
    ) -> RemoteError:
        status = fields["status"]
        fields["detail"] = self._excerpt(content)
        if 300 <= status < 400:
            where = _host(headers.get("location", "")) or "another path"
            message = f"answered {status}, a redirect to {where}; correct base_url"
            return self._error(Refused, message, **fields)
        if status in errors:
            kind = errors[status]
        elif status >= 500 or status < 200 or status in {408, 425}:
            kind = UnknownOutcome if write else Unavailable
        else:
            kind = STATUS_ERRORS.get(status, Refused)
        if status == PROXY_REFUSES:
            message = "the proxy refuses the user or the password; correct `proxy`"
            return self._error(NotSent if write else Unavailable, message, **fields)
        if issubclass(kind, RateLimited):
            fields["retry_after"] = wait = self._retry_after(headers)
            self._held = TimeLimit(self._clock, wait) if wait else self._held
        return self._error(kind, f"answered {status}", **fields)

    def _failed(self, error: Exception, *, write: bool) -> RemoteError:
        """Return the error of a failed transport, by whether the request can have left."""
        failure = Failure(error, authorities=bool(self.connection.authorities))
        message = failure.words(self.connection.timeout)
        if not write:
            return self._error(Unavailable, message)
        return self._error(NotSent if failure.unsent else UnknownOutcome, message)

    def _error(self, kind: type[RemoteError], message: str, **fields: Any) -> RemoteError:
        return kind(self.connection.name, self._scrub(message), **fields)

    def _scrub(self, text: str) -> str:
        return _EMAIL.sub("•••@•••", self._scrubber.text(text))

    def _excerpt(self, content: bytes) -> str:
        """Return the beginning of a body, without secrets and without half of one at its end."""
        text = content[:MAX_ERROR_BYTES].decode("utf-8", "replace")
        text = _EMAIL.sub("•••@•••", self._scrubber.beginning(text, MAX_SCRUBBED_CHARS))
        text = " ".join(text.split())
        return text if len(text) <= EXCERPT_LENGTH else text[:EXCERPT_LENGTH] + "…"

    def _named(self, status: int, headers: Mapping[str, str]) -> dict[str, Any]:
        """Return what an error tells of the answer that it is about."""
        return {"status": status, "request_id": self._request_id(headers)}

    def _request_id(self, headers: Mapping[str, str]) -> str:
        """Return the vendor's name for the call; one with a secret, or half of one, is no name."""
        if headers.keys().isdisjoint(REQUEST_ID_HEADERS):
            return ""
        given = next((headers[name] for name in REQUEST_ID_HEADERS if headers.get(name)), "")
        name = _UNPRINTABLE.sub("", given)
        told = any(self._scrubber.text(text) != text for text in {given, name})
        return "" if told or not _REQUEST_ID.fullmatch(name) else name[:MAX_REQUEST_ID_LENGTH]

    def _retry_after(self, headers: Mapping[str, str]) -> float | None:
        value = headers.get("retry-after", "").strip()
        if value.isascii() and value.isdigit():
            return _believable(float(value))
        until = http_date(value)
        if until is None:
            return None
        now = http_date(headers.get("date")) or self._clock.now()
        return _believable(max((until - now).total_seconds(), 0.0))


def _host(location: str) -> str:
    """Return the host that an address names; empty when it names none."""
    try:
        return _UNPRINTABLE.sub("", urlsplit(location).hostname or "")[:MAX_HOST_LENGTH]
    except ValueError:
        return ""


def content_of(response: requests.Response, bounds: CallBounds, limit: int, *, cut: bool) -> bytes:
    """Read the body piece by piece, so that no more than the limit is ever decompressed."""
    raw = response.raw
    read = getattr(raw, "read1", None) or raw.read
    parts: list[bytes] = []
    size = 0
    while True:
        bounds.left()  # an adapter that is no network of ours has no socket to tell
        part = (
            read(CHUNK_BYTES, decode_content=True)
            if isinstance(raw, urllib3.BaseHTTPResponse)
            else read(CHUNK_BYTES)
        )
        if not part:
            return b"".join(parts)
        parts.append(part)
        size += len(part)
        if size > limit:
            if cut:
                return b"".join(parts)[:limit]
            raise TooMuch(f"the answer is larger than {limit} bytes")


def _believable(wait: float) -> float | None:
    """Return the part of a wait that is obeyed; None: nobody can mean it, as if none were named."""
    return min(wait, MAX_RETRY_AFTER) if wait <= BELIEVED_RETRY_AFTER else None
