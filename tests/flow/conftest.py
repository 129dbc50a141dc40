import pytest

from tests.flow.world import World


@pytest.fixture
def world(ledger):
    return World(ledger, names="LH")
