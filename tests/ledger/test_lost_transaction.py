"""SQLite gives a whole transaction up by itself: nobody goes on as if it were there."""

import contextlib

import pytest
import sqlalchemy
from sqlalchemy.exc import DBAPIError

from bridge.ledger import probes
from bridge.ledger.database import Ledger, TransactionLost, Unreachable, savepoint
from tests.ledger.helpers import fill_the_disk


def note(tx, now, what):
    probes.record(tx, "helpdesk", what, True, "seen", now)


def stored(ledger):
    with ledger.read() as tx:
        return set(probes.findings(tx, "helpdesk"))


def fill_unseen(tx):
    with contextlib.suppress(DBAPIError):
        fill_the_disk(tx)


def test_the_block_in_which_the_transaction_was_lost_says_so_and_why(sqlite_ledger, now):
    said = r"gave a whole transaction up: database or disk is full; .*see whether the disk"

    def fill():
        with sqlite_ledger.transaction() as tx:
            note(tx, now, "create")
            with pytest.raises(TransactionLost, match=said), savepoint(tx), savepoint(tx):
                fill_the_disk(tx)
            assert not tx.connection.dbapi_connection.in_transaction
            with pytest.raises(TransactionLost), savepoint(tx):
                note(tx, now, "delete")

    with pytest.raises(TransactionLost):
        fill()
    assert stored(sqlite_ledger) == set()


def test_a_block_whose_own_error_hides_the_loss_ends_in_the_loss(sqlite_ledger):
    def hide():
        with sqlite_ledger.transaction() as tx, savepoint(tx):
            fill_unseen(tx)
            raise ValueError("a value of a ticket")

    with pytest.raises(TransactionLost) as lost:
        hide()
    assert "ticket" not in str(lost.value)


def test_a_block_that_ends_well_after_the_loss_ends_in_the_loss(sqlite_ledger):
    def go_on():
        with sqlite_ledger.transaction() as tx, savepoint(tx):
            fill_unseen(tx)

    with pytest.raises(TransactionLost, match="no such savepoint"):
        go_on()


def test_a_transaction_that_was_lost_unseen_is_not_taken_for_committed(sqlite_ledger, now):
    def go_on():
        with sqlite_ledger.transaction() as tx:
            note(tx, now, "create")
            fill_unseen(tx)

    with pytest.raises(TransactionLost):
        go_on()
    assert stored(sqlite_ledger) == set()
    with sqlite_ledger.transaction() as tx:  # the connection is as good as ever
        note(tx, now, "create")
    assert stored(sqlite_ledger) == {"create"}


def test_who_is_interrupted_after_the_loss_is_interrupted(sqlite_ledger):
    def interrupted():
        with sqlite_ledger.transaction() as tx, savepoint(tx):
            fill_unseen(tx)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()


@pytest.mark.postgres
def test_a_session_that_postgresql_ends_in_a_block_is_no_loss_of_this_kind(
    postgres_url, postgres_admin
):
    ledger = Ledger(postgres_url)

    def end():
        with ledger.transaction() as tx, savepoint(tx):
            own = tx.scalar(sqlalchemy.text("select pg_backend_pid()"))
            with postgres_admin.connect() as admin:
                admin.execute(sqlalchemy.text("select pg_terminate_backend(:own)"), {"own": own})
            tx.execute(sqlalchemy.text("select 1"))

    with pytest.raises(Unreachable) as ended:
        end()
    assert not isinstance(ended.value, TransactionLost)
    ledger.close()
