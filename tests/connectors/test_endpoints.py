"""Every system shows that its connector makes the documented calls, or its page says why never."""

from __future__ import annotations

import importlib

import pytest

from bridge.connectors import CONNECTORS


@pytest.mark.parametrize("system", sorted(CONNECTORS))
def test_every_system_shows_that_it_makes_its_documented_calls(system):
    module = importlib.import_module(f"tests.connectors.test_{system}")
    assert callable(module.test_documented_calls)
