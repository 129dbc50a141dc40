import pytest

from tests.processes.database import Database
from tests.processes.kit import Kit


@pytest.fixture
def database():
    """A PostgreSQL server of the test's own, to be stopped."""
    with Database() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def kit(request, tmp_path):
    """The bridge as processes, with 12 tickets in step, on each ledger in turn."""
    url = request.getfixturevalue("database").url if request.param == "postgres" else ""
    with Kit(tmp_path, database=url) as made:
        made.begin(12)
        yield made
