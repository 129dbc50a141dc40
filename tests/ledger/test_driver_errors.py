"""What a driver says of a failure: the right outcome, and nothing of what was to be stored."""

import contextlib
import logging
import traceback

import pytest
import sqlalchemy
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from bridge.ledger import webhook_inbox
from bridge.ledger.database import DiskFull, Ledger, TakesNoWrites, Unreachable
from bridge.ledger.write_probe import try_a_write

SECRET = "whose value is nobody's business"


def accept(tx, now, **fields):
    given = {"headers": {"x": SECRET}, "projection": {"subject": SECRET}, "digest": "d"} | fields
    webhook_inbox.accept(
        tx, connection="helpdesk", delivery_key=f"k {SECRET}", received_at=now, event="e",
        entity="ticket", remote_id=SECRET, **given,
    )  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [
        {"digest": None},  # a driver may name the whole row
        {"digest": object()},  # it comes to no driver
    ],
)
def test_no_value_comes_into_the_log_with_a_statement_that_fails(ledger, now, fields, caplog):
    with pytest.raises((DBAPIError, TypeError)) as failed, ledger.transaction() as tx:
        accept(tx, now, **fields)
    logging.getLogger("bridge").error("it failed", exc_info=failed.value)
    said = caplog.text + "".join(traceback.format_exception(failed.value))
    assert "it failed" in said
    assert SECRET not in said


@pytest.mark.postgres
def test_a_value_that_does_not_fit_is_not_shown(postgres_url):
    ledger = Ledger(postgres_url)
    with pytest.raises((DBAPIError, TypeError)) as failed, ledger.read() as tx:
        tx.execute(sqlalchemy.text("select cast(:given as integer)"), {"given": SECRET})
    assert SECRET not in "".join(traceback.format_exception(failed.value))
    assert "a value does not fit (22P02)" in str(failed.value)
    ledger.close()


@pytest.mark.postgres
def test_a_session_that_is_ended_in_a_transaction_is_the_ledgers_state(
    postgres_url, postgres_admin
):
    """Also for whoever goes on after the first statement that failed."""
    ledger = Ledger(postgres_url)

    def go_on():
        with ledger.transaction() as tx:
            own = tx.scalar(sqlalchemy.text("select pg_backend_pid()"))
            with postgres_admin.connect() as admin:
                admin.execute(sqlalchemy.text("select pg_terminate_backend(:own)"), {"own": own})
            with contextlib.suppress(DBAPIError):
                tx.execute(sqlalchemy.text("select 1"))
            tx.execute(sqlalchemy.text("select 1"))

    with pytest.raises(Unreachable, match="gone in the midst"):
        go_on()
    ledger.close()


@pytest.mark.postgres
def test_a_database_that_was_made_read_only_takes_no_writes(postgres_url, postgres_admin, now):
    name = make_url(postgres_url).database
    with postgres_admin.connect() as admin:
        admin.exec_driver_sql(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    ledger = Ledger(postgres_url)
    ledger.check()
    with pytest.raises(TakesNoWrites, match="read-only transaction"):
        try_a_write(ledger, now)
    ledger.close()


def test_a_ledger_that_takes_writes_is_left_as_it_is(ledger, now):
    with ledger.read() as tx:
        before = webhook_inbox.account(tx)
    try_a_write(ledger, now)
    try_a_write(ledger, now)
    with ledger.read() as tx:
        assert webhook_inbox.account(tx) == before


def test_a_full_disk_shows_at_a_write(sqlite_ledger, now):
    """A limit of the database's own takes the place of the disk's end."""

    @sqlalchemy.event.listens_for(sqlite_ledger.engine, "checkout")
    def limit(raw, *_):
        raw.execute("PRAGMA max_page_count=1")
        raw.execute(
            "CREATE TEMP TRIGGER IF NOT EXISTS fill BEFORE INSERT ON tally BEGIN "
            "INSERT INTO tally VALUES (hex(randomblob(99999)), 1); END"
        )

    with pytest.raises(DiskFull, match="database or disk is full"):
        try_a_write(sqlite_ledger, now)


def test_a_file_that_is_no_database_is_the_ledgers_state_and_no_defect(tmp_path):
    (tmp_path / "bridge.db").write_text("something else " * 1000)
    ledger = Ledger(f"sqlite:///{tmp_path / 'bridge.db'}")
    with pytest.raises(Unreachable, match="not a database"), ledger.read():
        pass
    ledger.close()


def test_a_write_that_nobody_lets_through_is_not_waited_for_without_end(sqlite_ledger, now):
    with (
        sqlite_ledger.transaction(),
        pytest.raises(Unreachable, match=r"has taken no write for 0\.05 s"),
    ):
        try_a_write(sqlite_ledger, now, patience=0.05)
