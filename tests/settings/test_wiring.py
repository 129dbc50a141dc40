"""What the connectors declare reaches the procedures."""

from __future__ import annotations

from pathlib import Path

from bridge import wiring
from bridge.clock import SystemClock
from bridge.config import load
from bridge.connectors import CONNECTORS, connector_class
from bridge.supervisor.account_file import placeholder_accounts

ROOT = Path(__file__).resolve().parents[2]


def test_a_429_without_a_time_is_waited_out_for_as_long_as_the_connector_declares():
    classes = {system: connector_class(system) for system in CONNECTORS}
    config = load(ROOT, environ={}, sandbox=placeholder_accounts(), connectors=classes)
    clock = SystemClock()
    context = wiring.context_of(config, clock)
    declared = {name: classes[each.system].BACKOFF for name, each in config.connections.items()}
    assert context.backoff == declared
    assert max(declared.values()) > min(declared.values())
