"""Calls on connections that are open already: sent in one piece, the usual answer read as it is.

urllib3 and http.client write a request line by line and read headers by the parser of e-mails,
which cost more than all the rest of a call. Here only what nearly every answer is like is read
otherwise: a plain head that has come as a whole, and a body of known length. Whatever else an
answer is like, they read it, from its first byte; and they open the connections, through a proxy
and with TLS.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPException, HTTPResponse, IncompleteRead
from typing import Any, Final, NamedTuple

import urllib3
from urllib3 import HTTPHeaderDict
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ProtocolError

_HEAD: Final = re.compile(
    rb"HTTP/1\.1 ([2-5]\d\d)(?: [\t\x20-\x7e]*+)?\r\n"
    rb"((?:[A-Za-z0-9!#$%&'*+.^_`|~-]++:[\t\x20-\x7e\x80-\xff]*+\r\n)*+)\r\n"
)
_FOLD: Final = re.compile(r"(?:(?<![ \t])[ \t]++)?\r\n[ \t]++")
"""Between the parts of a header that goes on in the next line; urllib3 reads a space there."""
_LENGTH: Final = re.compile(r"\d{1,9}")
_MAX_LINES: Final = 64
_BODILESS: Final = {204, 304}
_CODINGS: Final = ("transfer-encoding", "content-encoding")


class PlainAnswer:
    """An answer with a plain head and a body of known length, read from its connection."""

    def __init__(
        self,
        head: _PlainHead,
        source: HTTPResponse,
        connection: Any,
        give_back: Callable[[Any], None],
    ) -> None:
        """Begin to read a body. `give_back`: what lets other calls have the connection."""
        self.status, self.headers = head.status, head.fields
        self._left = int(head.fields["content-length"])
        self._source, self._connection, self._give_back = source, connection, give_back
        if not self._left:
            self._end()

    def read1(self, size: int) -> bytes:
        """Return what has come of the body, b"" at its end. Raises IncompleteRead where it stops.

        With the last byte the connection is free.
        """
        if not self._left:
            return b""
        part: bytes = self._source.fp.read1(min(size, self._left))
        if not part:
            raise IncompleteRead(b"", self._left)
        self._left -= len(part)
        if not self._left:
            self._end()
        return part

    def close(self) -> None:
        """Close the connection unless all of the body was read: the rest is no other answer's."""
        if self._left:
            self._left = 0
            self._connection.close()
            self._end()

    def _end(self) -> None:
        self._source.close()
        self._give_back(self._connection)


class KeptConnections(HTTPConnectionPool):
    """A pool that calls through an open connection, if it has one, without detours."""

    def urlopen(  # type: ignore[override]  # what it does not look at it hands on
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> urllib3.BaseHTTPResponse | PlainAnswer:
        """Send a request, return its answer; raises urllib3's errors."""
        if self.proxy is None and headers is not None and method != "HEAD":
            connection = self._get_conn()
            if not connection.is_closed:
                return self._call(connection, method, url, body, headers)
            self._put_conn(connection)
        return super().urlopen(method, url, body, headers, **options)

    def _call(
        self,
        connection: Any,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
    ) -> urllib3.BaseHTTPResponse | PlainAnswer:
        try:
            request = _written(connection, method, url, headers) + (body or b"")
            # It may have answered before it hung up.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.sock.sendall(request)
            source = HTTPResponse(connection.sock, method=method)
            head = _plain_head(source.fp.peek())
            if head is None:
                return self._any_answer(connection, source, method, url)
            source.fp.read(head.size)
            return PlainAnswer(head, source, connection, self._put_conn)
        except BaseException as error:
            connection.close()
            self._put_conn(connection)
            if isinstance(error, OSError | HTTPException):
                raise ProtocolError("Connection aborted.", error) from error
            raise

    def _any_answer(
        self, connection: Any, source: HTTPResponse, method: str, url: str
    ) -> urllib3.BaseHTTPResponse:
        source.begin()
        if source.will_close:
            connection.close()  # its answer can still be read
        return urllib3.HTTPResponse(
            source,
            HTTPHeaderDict((name, _FOLD.sub(" ", value)) for name, value in source.msg.items()),
            source.status,
            source.version,
            reason=source.reason,
            preload_content=False,
            original_response=source,
            pool=self,
            connection=connection,
            request_method=method,
            request_url=url,
        )


class KeptTlsConnections(KeptConnections, HTTPSConnectionPool):
    """The same under TLS."""


def _written(connection: Any, method: str, url: str, headers: Mapping[str, str]) -> bytes:
    host = f"[{connection.host}]" if ":" in connection.host else connection.host
    port = "" if connection.port == connection.default_port else f":{connection.port}"
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    head = "".join([f"{method} {url} HTTP/1.1\r\nHost: {host}{port}\r\n", *lines, "\r\n"])
    return head.encode("latin-1")


class _PlainHead(NamedTuple):
    """The head of an answer."""

    size: int
    status: int
    fields: dict[str, str]
    """Names are lower-case."""


def _plain_head(begin: bytes) -> _PlainHead | None:
    """Return the head of an answer that begins so; None: it is not plain, or has not all come."""
    match = _HEAD.match(begin)
    if match is None:
        return None
    fields: dict[str, str] = {}
    lines = match[2].decode("latin-1").split("\r\n")
    lines.pop()
    for line in lines:
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip(" \t")
    status = int(match[1])
    if (
        len(fields) != len(lines)  # one header twice
        or len(lines) > _MAX_LINES
        or status in _BODILESS
        or any(name in fields for name in _CODINGS)
        or fields.get("connection", "keep-alive").lower() != "keep-alive"
        or not _LENGTH.fullmatch(fields.get("content-length", ""))
    ):
        return None
    return _PlainHead(match.end(), status, fields)
