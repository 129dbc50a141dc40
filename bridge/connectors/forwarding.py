"""A connector that hands every call on to another one: the base of those that change only a few."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from bridge.connectors.contract import (
    Connector,
    Draft,
    Findings,
    Handles,
    Intent,
    Page,
    Parsed,
    Record,
)
from bridge.core.model.capabilities import EntityCapabilities
from bridge.core.model.values import Raw, Ref


class ForwardingConnector(Connector):
    """Forwards the whole contract to `real`, writes included.

    A subclass overrides what it must not let through.
    """

    NAME: ClassVar[str] = "forwarding"
    CAPABILITIES: ClassVar[Mapping[str, EntityCapabilities]] = {}

    def __init__(self, real: Connector) -> None:
        # Not as any other: what it hands on is read by the real one, with the markers of that.
        self.connection = real.connection
        self.real = real

    def remember_in(self, handles: Handles, findings: Findings) -> None:
        """Forward."""
        self.real.remember_in(handles, findings)

    def parse(self, headers: Mapping[str, str], body: Any) -> Parsed:
        """Forward."""
        return self.real.parse(headers, body)

    def read(self, entity: str, ids: Sequence[str]) -> dict[str, Record | None]:
        """Forward."""
        return self.real.read(entity, ids)

    def changed(self, entity: str, cursor: Any | None) -> Page:
        """Forward."""
        return self.real.changed(entity, cursor)

    def scan(self, entity: str, cursor: Any | None) -> Page:
        """Forward."""
        return self.real.scan(entity, cursor)

    def made_since(self, entity: str, since: datetime) -> Sequence[Record]:
        """Forward."""
        return self.real.made_since(entity, since)

    def find(self, intent: Intent) -> list[Record]:
        """Forward."""
        return self.real.find(intent)

    def create(self, draft: Draft) -> Record | None:
        """Forward."""
        return self.real.create(draft)

    def update(self, ref: Ref, verb: str, values: Mapping[str, Raw]) -> Record | None:
        """Forward."""
        return self.real.update(ref, verb, values)

    def delete(self, ref: Ref) -> None:
        """Forward."""
        self.real.delete(ref)

    def account_metrics(self) -> Mapping[str, float]:
        """Forward."""
        return self.real.account_metrics()

    def perform_action(self, action: str, arguments: Mapping[str, str]) -> str:
        """Forward."""
        return self.real.perform_action(action, arguments)

    def find_person(self, entity: str, email: str) -> Sequence[Record]:
        """Forward."""
        return self.real.find_person(entity, email)

    def probe(self) -> dict[str, Any]:
        """Forward."""
        return self.real.probe()

    def ping(self) -> str:
        """Forward."""
        return self.real.ping()
