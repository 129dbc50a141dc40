"""The connectors: a folder for each system, and the table by which their classes are found."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from bridge.connectors.contract import Connector
from bridge.core.model.capabilities import EntityCapabilities
from bridge.core.model.syncs import Connection
from bridge.errors import ConfigError
from bridge.http.caller import Caller

CONNECTORS: dict[str, str] = {
    "switch": "bridge.connectors.switch.connector.SwitchConnector",
    "posthog": "bridge.connectors.posthog.connector.PostHogConnector",
    "zaia": "bridge.connectors.zaia.connector.ZaiaConnector",
    "upscope": "bridge.connectors.upscope.connector.UpscopeConnector",
    "scopeai": "bridge.connectors.scopeai.connector.ScopeaiConnector",
}
"""Every system that the bridge knows.

A literal, so that nothing outside this file can have a class imported.
"""


def connector_class(system: str) -> type[Connector]:
    """Return a system's connector class. Raises ConfigError for a system that does not exist."""
    if system not in CONNECTORS:
        raise ConfigError(
            [f"system {system!r} does not exist; allowed: {', '.join(sorted(CONNECTORS))}"]
        )
    module, _, name = CONNECTORS[system].rpartition(".")
    kind = getattr(import_module(module), name)
    if not (isinstance(kind, type) and issubclass(kind, Connector)):
        raise TypeError(f"{CONNECTORS[system]} is not a connector")
    return kind


def capabilities() -> dict[str, Mapping[str, EntityCapabilities]]:
    """Return what every system can do, by system and entity."""
    return {system: connector_class(system).CAPABILITIES for system in sorted(CONNECTORS)}


def build(connection: Connection, http: Caller) -> Connector:
    """Make the connector of one connection; every registered class is constructed this way."""
    kind = connector_class(connection.system)
    return kind(connection, http)  # type: ignore[call-arg]
