"""Sends one notice to one address, within bounds, and tells of the answer no more than its status.

As all calls do, it follows no redirect, reads no environment and keeps no cookie. The answer's body
is not even read: nothing that an endpoint says is of any use, however much it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import requests
from requests.adapters import BaseAdapter

from bridge.http.bounded_sockets import BoundedAdapter
from bridge.http.call_bounds import CallBounds, kept
from bridge.http.call_failures import FAILED, UNSENDABLE, Failure
from bridge.http.call_template import CallTemplate

GONE: Final = 410
SECONDS: Final = 15.0
"""For the whole of a call; a receiver is to answer first and work afterwards."""


@dataclass(frozen=True, slots=True)
class NoticeAnswer:
    """How a call went."""

    status: int | None
    """None: there was no answer."""
    words: str
    """What happened, and what to do where somebody can do something."""

    @property
    def is_taken(self) -> bool:
        """Return whether the endpoint has the notice."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        """Return whether the endpoint wants no more of them: 410 says so, for good."""
        return self.status == GONE


class NoticeCaller:
    """Calls one endpoint. `adapter` replaces the network."""

    def __init__(
        self, url: str, *, seconds: float = SECONDS, adapter: BaseAdapter | None = None
    ) -> None:
        self._url, self._seconds = url, seconds
        self._template = CallTemplate("")
        self._adapter = adapter or BoundedAdapter(connections=1)

    def post(self, body: bytes, headers: Mapping[str, str]) -> NoticeAnswer:
        """Send a body; whatever goes wrong is an answer, too."""

        def with_headers(request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers.update(headers)
            request.headers["Connection"] = "close"  # the answer is left unread
            return request

        with kept(CallBounds(self._seconds)):
            try:
                response = self._adapter.send(
                    self._template.request("POST", self._url, None, body, with_headers),
                    stream=True,
                    timeout=self._seconds,
                )
            except UNSENDABLE:
                return NoticeAnswer(None, "the request cannot be put together; check `url`")
            except FAILED as error:
                # The words are those of calls to systems, whose address is called otherwise.
                words = Failure(error).words(self._seconds).replace("base_url", "`url`")
                return NoticeAnswer(None, words)
            response.close()
        return NoticeAnswer(response.status_code, _words(response.status_code))

    def close(self) -> None:
        """Close the pooled connection."""
        self._adapter.close()


def _words(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return f"answered {status}, a redirect, which is not followed; correct `url`"
    if status == GONE:
        return "answered 410: it wants no more notices"
    return f"answered {status}"
