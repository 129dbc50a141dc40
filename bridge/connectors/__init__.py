"""One file a system: protocol facts, and how to read and write its records."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from bridge.connectors.contract import Connector
from bridge.core.model.capabilities import EntityCapabilities
from bridge.core.model.syncs import Connection
from bridge.errors import ConfigError
from bridge.http.client import Http

CONNECTORS: dict[str, str] = {
    "switch": "bridge.connectors.switch.connector.SwitchConnector",
    "posthog": "bridge.connectors.posthog.connector.PostHogConnector",
    "zaia": "bridge.connectors.zaia.connector.ZaiaConnector",
    "upscope": "bridge.connectors.upscope.connector.UpscopeConnector",
    "scopeai": "bridge.connectors.scopeai.connector.ScopeaiConnector",
}
"""Every system that the bridge knows. A literal: nothing outside this file can have a class imported."""


def connector_class(system: str) -> type[Connector]:
    """Give a system's connector class. Raises ConfigError for a system that does not exist."""
    if system not in CONNECTORS:
        raise ConfigError(
            [f"system {system!r} does not exist; allowed: {', '.join(sorted(CONNECTORS))}"]
        )
    module, _, name = CONNECTORS[system].rpartition(".")
    found = getattr(import_module(module), name)
    if not (isinstance(found, type) and issubclass(found, Connector)):
        raise TypeError(f"{CONNECTORS[system]} is not a connector")
    return found


def capabilities() -> dict[str, Mapping[str, EntityCapabilities]]:
    """Give what every system can do, by system and entity."""
    return {system: connector_class(system).CAPABILITIES for system in sorted(CONNECTORS)}


def build(connection: Connection, http: Http) -> Connector:
    """Make the connector of one connection; every registered class is constructed this way."""
    make = connector_class(connection.system)
    return make(connection, http)  # type: ignore[call-arg]
