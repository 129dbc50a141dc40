"""Puts the requests of one connection together: what all of them share is made ready once.

A session of requests merges and reads anew for each call what never changes between two calls of a
connection: headers, cookies, hooks, the base address. That cost more than the call itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import requests

from bridge.http.caller import Auth

Request = requests.PreparedRequest

HEADERS: Final = {
    "User-Agent": "webhook-sync-bridge",
    "Accept-Encoding": requests.utils.DEFAULT_ACCEPT_ENCODING,
    "Accept": "application/json",
    "Connection": "keep-alive",
}
# No segment of it may be `.` or `..`, which lead elsewhere, and nothing needs an escape.
_PLAIN_PATH: Final = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*+)++/?")
# Whatever else a value holds, it begins no line of its own.
_UNSENDABLE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class CallTemplate:
    """What the requests to one base URL have in common."""

    def __init__(self, base_url: str) -> None:
        self._base = base_url
        self._ready = _ready(base_url)

    def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None,
        body: bytes | None,
        auth: Auth | None,
    ) -> Request:
        """Return a request, as requests would prepare it.

        `url`: a path below the base URL, or a whole address. Raises what requests raises for what
        no request can hold.
        """
        request = Request()
        request.method = method
        request.headers = requests.structures.CaseInsensitiveDict(HEADERS)
        if self._ready and _PLAIN_PATH.fullmatch(url):
            request.url = self._ready + url + _query(params)
        else:
            whole = self._base + url if url.startswith("/") else url
            request.prepare_url(whole, dict(params) if params else None)
        if body is not None:
            request.body = body
            request.headers["Content-Type"] = "application/json"
            request.headers["Content-Length"] = str(len(body))
        elif method not in {"GET", "HEAD"}:
            request.headers["Content-Length"] = "0"
        if auth is None:
            request.prepare_auth(None)
        else:
            request = auth(request)
        if _UNSENDABLE.search("".join(map(str, request.headers.values()))):
            raise requests.exceptions.InvalidHeader("no header can hold what the credentials are")
        return request


def _ready(base_url: str) -> str:
    """Return a base URL to which a plain path can be added as it is; empty: it is not of a kind."""
    request = Request()
    try:
        parts = urlsplit(base_url)
        request.prepare_url(base_url, None)
    except (ValueError, requests.RequestException):
        return ""
    if parts.query or parts.fragment or "@" in parts.netloc or not request.url:
        return ""
    return request.url.rstrip("/")


def _query(params: Mapping[str, Any] | None) -> str:
    given = [(name, value) for name, value in (params or {}).items() if value is not None]
    return "?" + urlencode(given, doseq=True) if given else ""
