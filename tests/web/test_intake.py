import asyncio
import contextlib
import random
import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from bridge.connectors.contract import Hint
from bridge.errors import LedgerError
from bridge.ledger.database import Ledger, TransactionLost
from bridge.web.receiver.intake import BATCH, Delivery, DirectIntake, GroupIntake
from tests.ledger.helpers import fill_the_disk
from tests.web.receiver import START, rows


class Bell:
    def __init__(self):
        self.rings = 0
        self.heard = threading.Event()

    def ring(self, lane="live"):  # noqa: ARG002
        self.rings += 1
        self.heard.set()
        return True

    def answered(self, lane="live"):
        pass

    def ping(self):
        return True

    def fault(self):
        return None


class Slow(Ledger):
    """A ledger whose first transaction waits for a word, so that others queue up behind it."""

    def __init__(self, url):
        super().__init__(url)
        self.gate, self.begun, self.transactions = threading.Event(), threading.Event(), 0

    def transaction(self):
        self.transactions += 1
        self.begun.set()
        assert self.gate.wait(60)
        return super().transaction()


def delivery(number, **more):
    return Delivery(
        connection="helpdesk",
        delivery_key=f"k{number}",
        received_at=START,
        headers={},
        projection={},
        digest="",
        event="ticket.updated",
        verdict="pending",
        entity="ticket",
        remote_id=str(number),
        hints=(Hint("ticket", str(number)),),
        **more,
    )


def submit(intake, delivery, patience=60):
    begun = intake.begin(delivery)
    wait([begun], patience)
    return intake.receipt(begun)


@pytest.fixture
def ledger(tmp_path):
    Ledger(f"sqlite:///{tmp_path}/bridge.db").upgrade()
    found = Slow(f"sqlite:///{tmp_path}/bridge.db")
    yield found
    found.close()


def test_those_who_wait_share_one_commit(ledger):
    bell = Bell()
    intake = GroupIntake(ledger, bell)
    with ThreadPoolExecutor(50) as pool:
        first = pool.submit(submit, intake, delivery(0))
        assert ledger.begun.wait(60)
        others = [pool.submit(submit, intake, delivery(number)) for number in range(1, 50)]
        while len(intake._waiting) < 49:
            assert not any(other.done() for other in others)
        assert rows(ledger, "inbox") == []  # nobody has an answer, nothing is committed
        ledger.gate.set()
        receipts = [answer.result(20) for answer in (first, *others)]
    assert len({receipt.id for receipt in receipts}) == 50
    assert ledger.transactions == 2
    assert bell.heard.wait(60)
    intake.close()
    assert len(rows(ledger, "work")) == 50


def test_those_that_come_in_one_round_of_a_loop_share_one_commit(ledger):
    ledger.gate.set()
    intake = GroupIntake(ledger, Bell())

    async def come():
        begun = [intake.begin(delivery(number)) for number in range(30)]
        return await asyncio.gather(*map(asyncio.wrap_future, begun))

    receipts = asyncio.run(asyncio.wait_for(come(), 60))
    intake.close()
    assert len({receipt.id for receipt in receipts}) == 30
    assert ledger.transactions == 1


def test_what_came_in_a_round_that_never_ends_is_committed_at_the_close(ledger):
    ledger.gate.set()
    intake = GroupIntake(ledger, Bell())

    async def come():
        begun = [intake.begin(delivery(number)) for number in range(3)]
        intake.close()
        return begun

    begun = asyncio.run(come())
    assert all(each.result(0).is_new for each in begun)
    assert len(rows(ledger, "inbox")) == 3


def test_one_that_cannot_be_stored_does_not_take_the_others_down(ledger):
    intake = GroupIntake(ledger, Bell())
    bad = delivery(2, body=object())
    with ThreadPoolExecutor(10) as pool:
        answers = [
            pool.submit(submit, intake, each)
            for each in (delivery(0), delivery(1), bad, delivery(3))
        ]
        while len(intake._waiting) < 3 and not ledger.begun.is_set():
            pass
        ledger.gate.set()
        errors = [answer.exception(20) for answer in answers]
    assert [error is None for error in errors] == [True, True, False, True]
    intake.close()
    assert sorted(row["remote_id"] for row in rows(ledger, "inbox")) == ["0", "1", "3"]


def test_closing_commits_what_waits_and_takes_no_more(ledger):
    intake = GroupIntake(ledger, Bell())
    with ThreadPoolExecutor(BATCH) as pool:
        answers = [pool.submit(submit, intake, delivery(number)) for number in range(20)]
        while len(intake._waiting) < 10:
            pass
        ledger.gate.set()
        [answer.result(20) for answer in answers]
        intake.close()
    with pytest.raises(LedgerError, match="stopping"):
        submit(intake, delivery(99))
    assert len(rows(ledger, "inbox")) == 20


@pytest.mark.parametrize("kind", [DirectIntake, GroupIntake])
def test_a_repetition_is_the_same_delivery_everywhere(ledger, kind):
    ledger.gate.set()
    intake = kind(ledger, Bell())
    first, second = submit(intake, delivery(1)), submit(intake, delivery(1))
    intake.close()
    assert (first.id, first.is_new, second.is_new) == (second.id, True, False)


class Stubborn(Ledger):
    """A ledger that does not answer before it is told to."""

    def __init__(self, url):
        super().__init__(url)
        self.go_on = threading.Event()

    def transaction(self):
        assert self.go_on.wait(60)
        return super().transaction()


def test_a_ledger_that_hangs_is_waited_for_so_long_and_what_came_is_stored_in_the_end(tmp_path):
    Ledger(f"sqlite:///{tmp_path}/bridge.db").upgrade()
    ledger = Stubborn(f"sqlite:///{tmp_path}/bridge.db")
    intake = GroupIntake(ledger, Bell(), writers=2, batch=1)
    for number in range(5):
        with pytest.raises(LedgerError, match="did not commit in time"):
            submit(intake, delivery(number), patience=0.01)
    ledger.go_on.set()
    intake.close()
    assert {row["remote_id"] for row in rows(ledger, "inbox")} == set("01234")
    ledger.close()


def test_writers_side_by_side_commit_each_on_its_own(ledger):
    ledger.gate.set()
    intake = GroupIntake(ledger, Bell(), writers=4, batch=1)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: submit(intake, delivery(number)), range(20)))
    intake.close()
    assert ledger.transactions == 20
    assert len(rows(ledger, "inbox")) == 20


class Filling(Ledger):
    """A ledger whose disk is full at the end of a transaction, unseen: SQLite gives it up."""

    def __init__(self, url):
        super().__init__(url)
        self.full = 0
        """How many more transactions are lost."""

    @contextlib.contextmanager
    def transaction(self):
        with super().transaction() as tx:
            yield tx
            if self.full:
                self.full -= 1
                with contextlib.suppress(DBAPIError):
                    fill_the_disk(tx)


@pytest.fixture
def filling(tmp_path):
    Ledger(f"sqlite:///{tmp_path}/bridge.db").upgrade()
    found = Filling(f"sqlite:///{tmp_path}/bridge.db")
    yield found
    found.close()


def come_to(intake, *deliveries):
    """Begin deliveries in one round of a loop; return what each came to."""

    async def come():
        begun = [intake.begin(each) for each in deliveries]
        return await asyncio.gather(*map(asyncio.wrap_future, begun), return_exceptions=True)

    return asyncio.run(asyncio.wait_for(come(), 60))


@pytest.mark.parametrize("kind", [DirectIntake, GroupIntake])
def test_what_is_lost_with_its_transaction_is_not_acknowledged(filling, kind):
    filling.full, intake = 1, kind(filling, Bell())
    with pytest.raises(TransactionLost):
        submit(intake, delivery(1))
    assert rows(filling, "inbox") == []
    assert submit(intake, delivery(1)).is_new
    intake.close()
    assert len(rows(filling, "inbox")) == len(rows(filling, "work")) == 1


def test_of_a_batch_that_is_lost_that_is_acknowledged_which_is_stored_on_its_own(filling):
    filling.full, intake = 3, GroupIntake(filling, Bell())  # all of them, then two by themselves
    came_to = come_to(intake, *map(delivery, range(5)))
    intake.close()
    lost = [isinstance(each, TransactionLost) for each in came_to]
    assert lost == [True, True, False, False, False]
    assert sorted(row["remote_id"] for row in rows(filling, "inbox")) == ["2", "3", "4"]
    assert sorted(row["remote_id"] for row in rows(filling, "work")) == ["2", "3", "4"]


def test_a_delivery_for_which_the_disk_has_no_room_fails_alone(filling):
    """SQLite gives the transaction up in the midst of the statement that stores it."""
    with filling.read() as tx:
        pages = tx.exec_driver_sql("PRAGMA page_count").scalar()

    @event.listens_for(filling.engine, "checkout")
    def limit(raw, *_):
        raw.execute(f"PRAGMA max_page_count={pages + 50}").close()

    intake = GroupIntake(filling, Bell())
    big = delivery(1, body=random.Random(1).randbytes(500_000).hex())
    came_to = come_to(intake, delivery(0), big, delivery(2))
    intake.close()
    assert [isinstance(each, LedgerError) for each in came_to] == [False, True, False]
    assert sorted(row["remote_id"] for row in rows(filling, "inbox")) == ["0", "2"]
