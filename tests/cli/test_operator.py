import json
from datetime import UTC, datetime, timedelta

import pytest

from bridge.ledger import audit, health, work
from bridge.ledger.session import Ledger
from tests.cli.conftest import KEYS

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def home(run, tmp_path):
    run("init", str(tmp_path))
    run("--home", str(tmp_path), "db", "upgrade", environ=KEYS)
    ledger = Ledger(f"sqlite:///{tmp_path / 'var' / 'bridge.db'}")
    with ledger.transaction() as tx:
        work.raise_(tx, kind="deliver", key="d", connection="helpdesk", entity="ticket", due_at=NOW, now=NOW)
        (row,) = work.claim(tx, "me", NOW, NOW + timedelta(minutes=1), 5)
        work.park(tx, row, "me", "too many removals", "unsafe", NOW)
    return tmp_path, ledger


def test_held_work_is_listed_and_let_through_by_an_audited_approval(run, home):
    path, ledger = home
    listed = run("--home", str(path), "parked", "list", "--json", environ=KEYS)
    row = json.loads(listed.output)
    assert row["why"] == "too many removals"
    done = run("--home", str(path), "parked", "retry", str(row["id"]), "--approve", environ=KEYS)
    assert done.exit_code == 0, done.output
    with ledger.transaction() as tx:
        (freed,) = work.claim(tx, "me", datetime.now(UTC), datetime.now(UTC) + timedelta(minutes=1), 5)
        assert freed.payload == {"approved": True}
        assert [entry["action"] for entry in audit.recent(tx)] == ["parked retry"]


def test_a_row_that_is_not_parked_is_an_error(run, home):
    path, _ledger = home
    assert run("--home", str(path), "parked", "retry", "999", environ=KEYS).exit_code == 1
    assert run("--home", str(path), "parked", "retry", environ=KEYS).exit_code == 2


def test_a_refused_connection_is_resumed(run, home):
    path, ledger = home
    with ledger.transaction() as tx:
        health.refuse(tx, "helpdesk", "answered 401", NOW)
    assert run("--home", str(path), "connection", "resume", "helpdesk", environ=KEYS).exit_code == 0
    with ledger.read() as tx:
        assert health.closed(tx, NOW) == set()
    unknown = run("--home", str(path), "connection", "pause", "nobody", environ=KEYS)
    assert unknown.exit_code == 2
    assert "helpdesk, product" in unknown.output
