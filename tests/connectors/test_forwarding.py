"""A forwarding connector forwards the whole contract; stand-ins built on it hold back writes."""

import inspect
from unittest.mock import create_autospec

import pytest

from bridge.connectors.contract import Connector
from bridge.connectors.forwarding import ForwardingConnector
from bridge.preview.gate import GatedConnector
from bridge.preview.rehearsal_connector import RehearsalConnector

CONTRACT = sorted(
    name
    for name, member in vars(Connector).items()
    if inspect.isfunction(member) and not name.startswith("_")
)
WRITES = {"create", "update", "delete", "perform_action"}


def arguments_of(method):
    """Stand-ins for what a method takes, by position."""
    return [object() for name in inspect.signature(method).parameters if name != "self"]


@pytest.mark.parametrize("name", CONTRACT)
def test_every_method_of_the_contract_is_forwarded_with_its_arguments_and_answer(name):
    real = create_autospec(Connector, instance=True, connection=object())
    arguments = arguments_of(getattr(Connector, name))
    answer = getattr(ForwardingConnector(real), name)(*arguments)
    called = getattr(real, name)
    called.assert_called_once_with(*arguments)
    silent = name in {"delete", "remember_in"}
    assert answer is (None if silent else called.return_value)


@pytest.mark.parametrize("stand_in", [GatedConnector, RehearsalConnector])
def test_no_write_is_left_to_be_forwarded(stand_in):
    assert set(CONTRACT) >= WRITES
    assert vars(stand_in).keys() >= WRITES
