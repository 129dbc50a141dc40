from threading import Event, Thread

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import make_url

from bridge.errors import LedgerError
from bridge.ledger import drift_findings, probes, running_processes
from bridge.ledger.database import Ledger, savepoint
from bridge.ledger.table_versions import MIGRATIONS, known_versions, stored_versions
from bridge.ledger.tables import metadata


@pytest.fixture
def empty(empty_url):
    opened = Ledger(empty_url)
    yield opened
    opened.close()


def test_an_empty_database_is_brought_to_the_tables_that_the_code_declares(empty):
    empty.upgrade()
    empty.check()
    with empty.read() as tx:
        assert set(sqlalchemy.inspect(tx).get_table_names()) == {
            *metadata.tables,
            "alembic_version",
        }
        assert compare_metadata(MigrationContext.configure(tx), metadata) == []


def test_upgrading_again_changes_nothing(empty, now):
    empty.upgrade()
    with empty.transaction() as tx:
        probes.record(tx, "helpdesk", "tags", True, "seen", now)
    empty.upgrade()
    with empty.read() as tx:
        assert probes.findings(tx, "helpdesk") == {"tags": True}


def test_two_upgrades_at_once_take_turns(empty_url):
    failures = []

    def upgrade():
        ledger = Ledger(empty_url)
        try:
            ledger.upgrade()
            ledger.check()
        except Exception as error:
            failures.append(error)
        finally:
            ledger.close()

    threads = [Thread(target=upgrade) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_ledger_without_tables_says_how_to_make_them(empty):
    with pytest.raises(LedgerError, match="bridge db upgrade"):
        empty.check()


def test_the_versions_are_those_that_alembic_finds(empty):
    script = ScriptDirectory(MIGRATIONS)
    found = [each.revision for each in script.walk_revisions()]
    assert list(known_versions()) == found[::-1]
    assert script.get_heads() == [known_versions()[-1]]
    empty.upgrade()
    with empty.transaction() as tx:
        assert stored_versions(tx) == MigrationContext.configure(tx).get_current_heads()
        tx.execute(sqlalchemy.text("drop table alembic_version"))
        assert stored_versions(tx) == ()


def test_a_newer_ledger_is_refused_and_left_alone(ledger):
    with ledger.transaction() as tx:
        tx.execute(sqlalchemy.text("update alembic_version set version_num = '9999'"))
    with pytest.raises(LedgerError, match=r"newer version.*9999.*install that version"):
        ledger.check()
    with pytest.raises(LedgerError, match="newer version"):
        ledger.upgrade()
    assert ledger.revision()[0] == "9999"


def test_an_address_that_is_no_database_is_refused_without_showing_it():
    with pytest.raises(LedgerError, match="allowed: sqlite:///path") as refused:
        Ledger("hunter2 nonsense")
    assert "hunter2" not in str(refused.value)
    with pytest.raises(LedgerError, match="mysql"):
        Ledger("mysql://user:secret@host/name")


def test_a_database_that_is_not_there_is_an_error_of_ours_without_its_password():
    ledger = Ledger("postgresql://bridge:hunter2@127.0.0.1:1/bridge")
    with pytest.raises(LedgerError, match="cannot be used") as refused, ledger.read():
        pass
    assert "hunter2" not in str(refused.value)
    ledger.close()


@pytest.mark.parametrize(
    "said", ["h/nter2+4711", "h%2Fnter2%2B4711", "h\\/nter2+4711", "H/NTER2+47"]
)
def test_a_drivers_words_show_no_spelling_of_the_password(said):
    ledger = Ledger("postgresql://bridge:h%2Fnter2%2B4711@127.0.0.1:1/bridge")
    words = sqlalchemy.exc.OperationalError("select 1", {}, Exception(f"no such user: {said}"))
    with pytest.raises(LedgerError, match="no such user") as refused, ledger._translated_errors():
        raise words
    assert "nter2" not in str(refused.value).lower()
    ledger.close()


def test_a_transaction_that_raises_stores_nothing(ledger, now):
    def fail():
        with ledger.transaction() as tx:
            probes.record(tx, "helpdesk", "tags", True, "seen", now)
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        fail()
    with ledger.read() as tx:
        assert probes.findings(tx, "helpdesk") == {}


def test_a_savepoint_undoes_only_its_own_block(ledger, now):
    def fail(tx):
        with savepoint(tx):
            probes.record(tx, "helpdesk", "tags", True, "seen", now)
            tx.execute(sqlalchemy.text("select * from no_such_table"))

    with ledger.transaction() as tx:
        probes.record(tx, "helpdesk", "create", True, "seen", now)
        with pytest.raises(Exception, match="no_such_table"):
            fail(tx)
        probes.record(tx, "helpdesk", "delete", False, "seen", now)
    with ledger.read() as tx:
        assert probes.findings(tx, "helpdesk") == {"create": True, "delete": False}


def test_a_savepoint_that_failed_does_not_stand_for_the_one_around_it(ledger, now):
    def inner(tx):
        with savepoint(tx):
            raise RuntimeError("inner")

    def outer(tx):
        with savepoint(tx):
            probes.record(tx, "helpdesk", "tags", True, "seen", now)
            with pytest.raises(RuntimeError, match="inner"):
                inner(tx)
            probes.record(tx, "helpdesk", "delete", True, "seen", now)
            raise RuntimeError("outer")

    with ledger.transaction() as tx, pytest.raises(RuntimeError, match="outer"):
        outer(tx)
    with ledger.read() as tx:
        assert probes.findings(tx, "helpdesk") == {}


def test_reading_does_not_wait_for_a_writer(ledger, now):
    with ledger.transaction() as writing:
        probes.record(writing, "helpdesk", "tags", True, "seen", now)
        with ledger.read() as reading:
            assert probes.findings(reading, "helpdesk") == {}


@pytest.mark.postgres
def test_what_a_database_has_for_defaults_changes_neither_days_nor_what_a_transaction_sees(
    postgres_url, postgres_admin, now
):
    name = make_url(postgres_url).database
    with postgres_admin.connect() as admin:
        admin.exec_driver_sql(f"ALTER DATABASE \"{name}\" SET timezone = 'Asia/Tokyo'")
        admin.exec_driver_sql(
            f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = 'serializable'"
        )
    ledger = Ledger(postgres_url)
    late = now.replace(hour=20)
    with ledger.transaction() as tx:
        assert tx.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"
        finding = {
            "run_id": 1,
            "connection": "desk",
            "entity": "ticket",
            "remote_id": "1",
            "kind": "missed",
        }
        drift_findings.add(
            tx, [{**finding, "fields": {}, "since": None, "why": "", "found_at": late}]
        )
        assert [each.day for each in drift_findings.rates(tx, now)] == ["2026-03-01"]
    with ledger.read() as tx:
        assert tx.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"
    ledger.close()


def test_sqlite_is_as_durable_as_it_can_be(sqlite_url):
    ledger = Ledger(sqlite_url)
    with ledger.read() as tx:
        pragmas = {
            name: tx.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous")
        }
    ledger.close()
    assert pragmas == {"journal_mode": "wal", "synchronous": 2}


def test_threads_use_a_ledger_in_memory_in_turn():
    ledger = Ledger("sqlite://")
    entered, saw = Event(), []

    def look():
        entered.set()
        with ledger.read() as tx:
            saw.append(tx.exec_driver_sql("SELECT count(*) FROM t").scalar())

    with ledger.transaction() as tx:
        tx.exec_driver_sql("CREATE TABLE t (x)")
        other = Thread(target=look)
        other.start()
        entered.wait()
        other.join(0.2)  # time enough to fail
        tx.exec_driver_sql("INSERT INTO t VALUES (1)")
    other.join()
    assert saw == [1]
    ledger.close()


@pytest.mark.postgres
def test_a_process_that_begins_while_ended_ones_are_forgotten_is_not_forgotten(postgres_url, now):
    ledger = Ledger(postgres_url)
    with ledger.transaction() as tx:
        running_processes.started(tx, "ended", "worker", "", now)

    def is_alive(name):
        if name == "ended":
            with ledger.transaction() as other:
                running_processes.started(other, "begun", "worker", "", now)
        return name != "ended"

    with ledger.transaction() as tx:
        running_processes.forget_ended(tx, now, is_alive)
    with ledger.read() as tx:
        assert [each.id for each in running_processes.running(tx, now, is_alive)] == ["begun"]
    ledger.close()
