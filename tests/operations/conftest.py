import pytest

from tests.flow.estate import Estate
from tests.flow.world import World
from tests.operations.desks import desk_of


@pytest.fixture
def world():
    return World(names="LH")


@pytest.fixture
def desk(world):
    return desk_of(world)


@pytest.fixture
def estate(tmp_path):
    """The shipped configuration over sandboxes, with one visitor of Upscope."""
    made = Estate(tmp_path / "home")
    yield made
    made.ledger.close()
