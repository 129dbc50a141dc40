import pytest

from bench import intake


@pytest.mark.postgres
def test_each_receiver_holds_every_webhook_that_it_acknowledged():
    found = intake.measure(70, 1)  # it ends the run unless each ledger holds exactly those
    for rounds in found.values():
        assert set(rounds[0]) == {"bare", "SQLite", "PostgreSQL"}
    assert all(each["value"] > 0 for each in intake.figures(found))
