"""The made-up systems: added by what docs/adding-a-system.md names, below a folder of the tests.

Each has its files at the page's paths, below its own folder instead of the project's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bridge.connectors import CONNECTORS

TESTS = Path(__file__).parent
REGISTRY = "bridge/connectors/__init__.py"
"""The one shared file in which a system has a line."""


@dataclass(frozen=True)
class MadeUpSystem:
    """A system that does not exist."""

    name: str
    folder: Path
    connector: str
    """Its line in the registry, below the folder's package."""

    def register(self, monkeypatch):
        """Add it to the bridge, for one test."""
        monkeypatch.setitem(CONNECTORS, self.name, f"tests.{self.folder.name}.{self.connector}")


TINYDESK = MadeUpSystem(
    "tinydesk", TESTS / "sixth", "bridge.connectors.tinydesk.connector.TinydeskConnector"
)
PARCELDESK = MadeUpSystem(
    "parceldesk", TESTS / "seventh", "bridge.connectors.parceldesk.connector.ParcelDeskConnector"
)
SYSTEMS = (TINYDESK, PARCELDESK)
