import pytest

from tests.flow.world import ManualClock
from tests.notices.desk import Teller


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def teller(ledger, clock):
    """On each database in turn."""
    return Teller(ledger, clock)


@pytest.fixture
def embedded(sqlite_ledger, clock):
    """For what makes no difference to the database."""
    return Teller(sqlite_ledger, clock)
