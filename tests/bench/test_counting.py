"""What the count of an edit's costs counts."""

import pytest
from sqlalchemy import text

from bench import counting
from bridge.ledger.database import Ledger, savepoint


@pytest.mark.parametrize(
    "at", ["sqlite_url", pytest.param("postgres_url", marks=pytest.mark.postgres)]
)
def test_every_statement_of_the_driver_counts_and_only_commits_that_wrote(at, request):
    url = request.getfixturevalue(at)
    with counting.counting() as counts:
        ledger = Ledger(url)
        with ledger.read() as tx:  # opens the connection, with whatever that takes
            tx.execute(text("SELECT 1"))
        counts.begin_anew()
        with ledger.read() as tx:
            tx.execute(text("SELECT 1"))
        assert counts.commits == 0
        with ledger.transaction() as tx:
            with savepoint(tx):
                tx.exec_driver_sql("CREATE TABLE made (id INTEGER)")
            tx.connection.cursor().execute("DELETE FROM link")
            tx.execute(text("INSERT INTO made VALUES (:id)"), [{"id": 1}, {"id": 2}])
        ledger.close()
    found = {name: (times, rows) for name, times, rows in counts.by_table()}
    assert found.pop(";", None) in {None, (2, 2)}  # PostgreSQL's connections are tried before use
    assert found == {
        "BEGIN": (2, 2),
        "COMMIT": (2, 2),
        "SELECT": (1, 1),
        "SAVEPOINT": (1, 1),
        "CREATE": (1, 1),
        "RELEASE": (1, 1),
        "DELETE link": (1, 1),
        "INSERT": (1, 2),
    }
    assert counts.commits == 1


def test_an_edit_is_three_calls_and_its_profile_can_be_told():
    found = counting.measure(20, profile=True)
    assert found["calls"] == 3
    assert found["commits"] > 0
    assert "tottime" in found["profile"]


def test_the_command_prints_each_kind_of_statement(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["counting", "--links", "10", "--rounds", "2", "--statements"])
    counting.main()
    told = capsys.readouterr().out
    assert "cpu_ms" in told
    assert "COMMIT" in told
