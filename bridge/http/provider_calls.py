"""The calls to a provider of identities: its documents, its keys, and a code that is exchanged.

They keep the bounds that calls to vendors keep: one deadline for the whole of a call, no redirect,
no environment, no cookie, a limit of bytes. What is answered is JSON of any status: a refusal of a
code is one, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import requests

from bridge import foreign_json
from bridge.core.model.sign_in_provider import OpenIdSettings
from bridge.errors import BridgeError
from bridge.http.bounded_sockets import BoundedAdapter
from bridge.http.call_bounds import CallBounds, kept
from bridge.http.call_failures import FAILED, UNSENDABLE, Failure
from bridge.http.client import content_of

SECONDS: Final = 5.0
"""For the whole of a call: somebody waits for the page."""
LARGEST: Final = 1024 * 1024
"""Bytes of an answer. A token with 10,000 groups has half of it."""
_CONNECTIONS: Final = 4


class NoAnswer(BridgeError):
    """The provider does not answer, or not with JSON; the message says so in words."""


@dataclass(frozen=True, slots=True)
class ProviderAnswer:
    """What a provider has answered."""

    status: int
    body: Any


class ProviderCalls:
    """Calls one provider. Safe to share between threads."""

    def __init__(self, settings: OpenIdSettings) -> None:
        self._known_authorities = bool(settings.authorities)
        self._adapter = BoundedAdapter(connections=_CONNECTIONS, authorities=settings.authorities)
        proxy = settings.proxy.address.reveal() if settings.proxy else ""
        self._proxies = {"http": proxy, "https": proxy} if proxy else None

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> ProviderAnswer:
        """Ask for something. Raises NoAnswer."""
        return self._call(requests.Request("GET", url, headers=dict(headers or {})))

    def post(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> ProviderAnswer:
        """Send a form. Raises NoAnswer."""
        return self._call(requests.Request("POST", url, headers=dict(headers), data=dict(form)))

    def _call(self, request: requests.Request) -> ProviderAnswer:
        request.headers["Accept"] = "application/json"
        bounds = CallBounds(SECONDS)
        with kept(bounds):
            try:
                response = self._adapter.send(
                    request.prepare(), stream=True, timeout=SECONDS, proxies=self._proxies
                )
                bounds.begin_body()
                with response:
                    content = content_of(response, bounds, LARGEST, cut=False)
            except UNSENDABLE:
                raise NoAnswer("an address of it cannot be called") from None
            except FAILED as error:
                raise NoAnswer(self._words(error)) from None
        status = response.status_code
        if 300 <= status < 400:
            raise NoAnswer(f"it answered {status}, a redirect, which is not followed")
        try:
            return ProviderAnswer(status, foreign_json.loads(content))
        except ValueError:
            raise NoAnswer(f"it answered {status} without JSON") from None

    def _words(self, error: Exception) -> str:
        words = Failure(error, authorities=self._known_authorities).words(SECONDS)
        return words.replace("base_url", "`issuer`").replace("of the connection", "of `openid`")
