"""`bridge backup` and `bridge restore`, as they are typed."""

import stat
from datetime import UTC, datetime

import pytest

from bridge.ledger import audit, catch_up, links, running_processes
from tests.cli.conftest import KEYS
from tests.flow.estate import Estate


@pytest.fixture
def estate(tmp_path):
    made = Estate.on_disk(tmp_path / "home")
    first = made.apps["helpdesk"].create({"subject": "Before the backup"})["id"]
    made.hint("helpdesk", first)
    yield made
    made.ledger.close()


def give(run, estate, *words, code=0):
    done = run("--home", str(estate.folder), *words, environ=KEYS)
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


def test_there_and_back(run, estate, tmp_path):
    file = tmp_path / "monday.backup"
    said = give(run, estate, "backup", str(file))
    assert "1 link in" in said
    assert "it holds personal data" in said
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    later = estate.apps["helpdesk"].create({"subject": "After the backup"})["id"]
    estate.hint("helpdesk", later)
    said = give(run, estate, "restore", str(file), code=1)
    assert "holds 2 links, which would be lost" in said
    said = give(run, estate, "restore", str(file), "--replace")
    assert "restored 1 link in" in said
    assert "creates wait until each connection is compared" in said
    with estate.ledger.read() as tx:
        assert len(links.ids(tx)) == 1
        assert {state.kind for state in catch_up.by_connection(tx).values()} == {"full"}
    assert [line["action"] for line in audited(estate)] == ["restore"]


def audited(estate):
    with estate.ledger.read() as tx:
        return [line for line in audit.recent(tx) if line["action"] in ("backup", "restore")]


def test_a_backup_of_a_running_bridge_and_no_restore_over_it(run, estate, tmp_path):
    file = tmp_path / "backup"
    with estate.ledger.transaction() as tx:
        running_processes.started(tx, "desk-7:::", "worker", "r1", datetime.now(UTC))
    assert "1 link in" in give(run, estate, "backup", str(file))
    said = give(run, estate, "restore", str(file), "--replace", code=1)
    assert "these run with this ledger: worker (desk-7). Stop every" in said


def test_a_home_whose_ledger_is_gone_gets_it_back(run, estate, tmp_path):
    file = tmp_path / "backup"
    give(run, estate, "backup", str(file))
    estate.ledger.close()
    for part in ("bridge.db", "bridge.db-wal", "bridge.db-shm"):
        (estate.folder / "var" / part).unlink(missing_ok=True)
    assert "restored 1 link in" in give(run, estate, "restore", str(file))
    assert "Before the backup" in give(run, estate, "ticket", first_ref(estate))


def first_ref(estate):
    return f"helpdesk:{estate.apps['helpdesk'].tickets()[0]['id']}"


def test_a_file_that_cannot_be_written_is_said(run, estate, tmp_path):
    said = give(run, estate, "backup", str(tmp_path / "nowhere" / "backup"), code=1)
    assert "cannot be written into" in said
    said = give(run, estate, "restore", str(tmp_path / "nowhere" / "backup"), code=1)
    assert "cannot be read" in said
