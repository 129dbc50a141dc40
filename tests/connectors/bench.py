"""The bench of a connector: a vendor that can be arranged, over a transport that can be broken."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import requests
import urllib3
from requests.adapters import BaseAdapter

from bridge.connectors.contract import Connector, Draft
from bridge.core.model.syncs import Connection, Secret
from bridge.core.model.values import Ref

KEY = "sk-very-secret-0815"
ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
START = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


def connection(system: str, **fields: Any) -> Connection:
    """One configured account for tests."""
    base: dict[str, Any] = {
        "name": f"my-{system}",
        "system": system,
        "mapping": system,
        "base_url": f"https://{system}.example",
        "credentials": {"api_key": Secret(KEY)},
    }
    return Connection(**{**base, **fields})


class StillClock:
    """A clock that only moves when told to."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


class Faulty(BaseAdapter):
    """A transport over another one that can be told how its next calls go wrong."""

    def __init__(self, inner: BaseAdapter) -> None:
        super().__init__()
        self._inner = inner
        self.calls: list[tuple[str, str]] = []
        self.next: list[str] = []

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        self.calls.append((request.method or "", request.url or ""))
        fault = self.next.pop(0) if self.next else ""
        if fault.endswith("-after"):
            self._inner.send(request, *args, **kwargs)
        kind = fault.removesuffix("-after")
        if kind == "timeout":
            raise requests.ReadTimeout(f"timed out sending {request.headers}")
        if kind == "reset":
            raise requests.ConnectionError(
                urllib3.exceptions.ProtocolError("gone", ConnectionResetError())
            )
        if kind in {"html", "huge"} or kind.isdigit():
            return self._answer(request, kind)
        return self._inner.send(request, *args, **kwargs)

    def _answer(self, request: requests.PreparedRequest, kind: str) -> requests.Response:
        body = (
            b" " * (17 * 1024 * 1024)
            if kind == "huge"
            else f"<html>{request.headers}</html>".encode()
        )
        headers = {"X-Request-Id": "req-99", "Retry-After": "3"}
        response = requests.Response()
        response.status_code = int(kind) if kind.isdigit() else 200
        response.headers.update(headers)
        response.raw = urllib3.HTTPResponse(BytesIO(body), headers=headers, preload_content=False)
        response.url = request.url or ""
        response.request = request
        return response

    def close(self) -> None:
        self._inner.close()


def a_marker(connector: Connector, number: int) -> str:
    """Return a marker as the bridge plants it, that ends with the number."""
    return connector.markers.plant(Ref("elsewhere", "ticket", "1"), f"{number:08}")


class Bench(ABC):
    """A vendor with records that can be arranged, and a connector to it."""

    connector: Connector
    faulty: Faulty | None = None
    """None: the connector uses no HTTP, the cases about failing calls do not apply."""
    shows: frozenset[str] = frozenset({"status", "tags", "priority", "assignee"})
    """Names that a direct read must have."""
    change: tuple[str, Mapping[str, Any]] = ("patch", {"status": "open"})
    """A verb and its values whose first call is the write itself."""

    @abstractmethod
    def add(self, count: int) -> list[str]:
        """Have people make tickets at one moment; return their ids."""

    @abstractmethod
    def touch(self, remote_id: str) -> None:
        """Have a person change a ticket's status."""

    @abstractmethod
    def remove(self, remote_id: str) -> None:
        """Have a person delete a ticket."""

    @abstractmethod
    def wait(self, seconds: float) -> None:
        """Let time pass."""

    @abstractmethod
    def draft(self, marker: str) -> Draft:
        """Draft a ticket with everything that a create takes."""

    @abstractmethod
    def values(self) -> Mapping[str, Any]:
        """Return a value for every key that an update takes, other than what `add` makes."""

    @abstractmethod
    def shown(self, data: Mapping[str, Any], key: str) -> Any:
        """Read a write key's value out of a record (`assignee_id` is seen in `assignee.id`)."""

    @abstractmethod
    def side_effects(self) -> Any:
        """Return the whole state of the vendor, to see that nothing but writes changes it."""
