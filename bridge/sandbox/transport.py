"""Carries requests into a WSGI app of the same process, and webhooks out of a sandbox."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from bridge.clock import Clock
from bridge.sandbox.faults import Dropped
from bridge.sandbox.outbox import Send

WSGIApp = Callable[[dict[str, Any], Any], Iterable[bytes]]


class WSGIAdapter(BaseAdapter):
    """A `requests` adapter that calls an app instead of opening a socket.

    A fault that leaves the caller without an answer shows as the exception that a socket would have
    given; with a clock, a timeout also takes its time.
    """

    def __init__(self, app: WSGIApp, clock: Clock | None = None) -> None:
        super().__init__()
        self._app = app
        self._clock = clock

    def send(  # the signature is requests' own
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002
        timeout: Any = None,
        verify: Any = True,  # noqa: ARG002
        cert: Any = None,  # noqa: ARG002
        proxies: Any = None,  # noqa: ARG002
    ) -> requests.Response:
        """Call the app and build a response from its answer."""
        answer: dict[str, Any] = {}

        def start_response(
            status: str, headers: list[tuple[str, str]], _error: Any = None
        ) -> Callable[..., None]:
            answer.update(status=status, headers=headers)
            return lambda _: None

        try:
            chunks = self._app(_environ(request), start_response)
            body = b"".join(chunks)
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        except Dropped as dropped:
            if dropped.kind == "timeout-after":
                if self._clock is not None:
                    self._clock.sleep(_seconds(timeout))
                raise requests.ReadTimeout("no answer in time", request=request) from None
            raise requests.ConnectionError("connection reset by peer", request=request) from None
        code, _, reason = answer["status"].partition(" ")
        raw = HTTPResponse(
            body=io.BytesIO(body),
            headers=answer["headers"],
            status=int(code),
            reason=reason,
            preload_content=False,
            request_method=request.method,
        )
        response = requests.Response()
        response.status_code = int(code)
        response.reason = reason
        response.headers = requests.structures.CaseInsensitiveDict(raw.headers)
        response.encoding = requests.utils.get_encoding_from_headers(response.headers)
        response.raw = raw
        response.url = request.url or ""
        response.request = request
        return response

    def close(self) -> None:
        """Hold nothing, close nothing."""


def sender(adapter: BaseAdapter | None = None, timeout: float = 10.0) -> Send:
    """Return a sender of webhooks, over the network or through an adapter into an app."""
    session = requests.Session()
    session.trust_env = False
    if adapter is not None:
        session.mount("http://", adapter)
        session.mount("https://", adapter)

    def send(url: str, headers: Mapping[str, str], body: bytes) -> int:
        try:
            answer = session.post(
                url, data=body, headers=dict(headers), timeout=timeout, allow_redirects=False
            )
        except requests.RequestException:
            return 0
        return answer.status_code

    return send


def _environ(request: requests.PreparedRequest) -> dict[str, Any]:
    parts = urlsplit(request.url or "")
    body = request.body or b""
    data = body.encode() if isinstance(body, str) else body
    environ = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(parts.path, "latin-1") or "/",
        "QUERY_STRING": parts.query,
        "SERVER_NAME": parts.hostname or "localhost",
        "SERVER_PORT": str(parts.port or (443 if parts.scheme == "https" else 80)),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": parts.scheme,
        "wsgi.input": io.BytesIO(data),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = str(value)
    return environ


def _seconds(timeout: Any) -> float:
    last = timeout[-1] if isinstance(timeout, tuple) else timeout
    return float(last) if isinstance(last, int | float) else 10.0
