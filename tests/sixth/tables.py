"""The one line that Tinydesk has in a file of the bridge's: its connector's, in the registry."""

from __future__ import annotations

from bridge.connectors import CONNECTORS

NAME = "tinydesk"
CONNECTOR = "tests.sixth.bridge.connectors.tinydesk.connector.TinydeskConnector"
REGISTRY = "bridge/connectors/__init__.py"


def register(monkeypatch):
    """Add Tinydesk to the bridge, for one test."""
    monkeypatch.setitem(CONNECTORS, NAME, CONNECTOR)
