"""Client of a sandbox's control API, which plays the vendor's users and sets its faults."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from bridge.errors import BridgeError


class SandboxError(BridgeError):
    """A sandbox refused, or did not answer."""


class SandboxClient:
    """The control API of one sandbox."""

    def __init__(self, system: str, base_url: str) -> None:
        parts = urllib.parse.urlsplit(base_url)
        self.system = system
        self.url = f"{parts.scheme}://{parts.netloc}"

    def get(self, path: str, **query: str | int) -> Any:
        """Return what the sandbox answers to a GET."""
        url = f"{self._address(path)}?{urllib.parse.urlencode(query)}"
        return self._send(urllib.request.Request(url))  # noqa: S310

    def post(self, path: str, **body: Any) -> Any:
        """Have the sandbox do something; return its answer."""
        data, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
        return self._send(urllib.request.Request(self._address(path), data, headers))  # noqa: S310

    def _address(self, path: str) -> str:
        return f"{self.url}/_control/{path}"

    def _send(self, request: urllib.request.Request) -> Any:
        # Never through a proxy of the machine: the sandbox is on loopback.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return json.loads(answer.read())["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise SandboxError(
                    f"{self.system} sandbox: {error.code} {error.read(300).decode()}"
                ) from error
        except OSError as error:
            raise SandboxError(
                f"{self.system} sandbox at {self.url} does not answer: {error}"
            ) from error
