"""Markers of earlier versions, which prove nothing: the ledger says which of them are ours."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.connectors.contract import Connector
from bridge.ledger import intents
from bridge.ledger.database import Ledger


def recognise(connectors: Mapping[str, Connector], ledger: Ledger) -> None:
    """Have connectors ask the ledger about them."""

    def is_on_record(marker: str) -> bool:
        with ledger.read() as tx:
            return intents.is_on_record(tx, marker)

    for connector in connectors.values():
        connector.markers = connector.markers.with_record(is_on_record)
