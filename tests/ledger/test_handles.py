"""What a system finds a record by is kept with its side, and with the work of reading a new one."""

from __future__ import annotations

from bridge.core.model.values import Ref
from bridge.ledger import handles, hints, work
from bridge.ledger.handles import LedgerHandles
from tests.flow.estate import Estate
from tests.flow.pair import pair

ONE, TWO = Ref("product", "ticket", "t-1"), Ref("product", "ticket", "t-2")


def test_a_hint_without_a_handle_leaves_the_one_that_is_known(ledger, now):
    with ledger.transaction() as tx:
        hints.give(tx, ONE, now, handle="311")
        hints.give(tx, ONE, now)
        hints.give(tx, TWO, now)
        assert handles.known(tx, "product", "ticket", ["t-1", "t-2", "t-3"]) == {"t-1": "311"}
        hints.give(tx, ONE, now, handle="312")
        assert handles.known(tx, "product", "ticket", ["t-1"]) == {"t-1": "312"}
        assert handles.known(tx, "helpdesk", "ticket", ["t-1"]) == {}
        (row, _) = work.claim(tx, "w", now, now, 5)
        work.finish(tx, row, "w", now)
    assert LedgerHandles(ledger, "product")("ticket", ["t-1"]) == {}


def test_what_was_read_counts_before_what_a_hint_says_and_a_read_is_cheap_by_it(tmp_path):
    estate = Estate(tmp_path)
    product = estate.apps["product"]
    ids = [
        product.create({"anonymous_traits": {"email": f"c{number}@customer.example"}})["id"]
        for number in range(130)
    ]
    estate.reconcile("full")
    first = ids[0]
    with estate.ledger.transaction() as tx:
        hints.give(tx, Ref("product", "ticket", first), estate.clock.now(), handle="99")
        known = handles.known(tx, "product", "ticket", ids)
    assert known == {each: str(number) for number, each in enumerate(ids, 1)}
    estate.start()  # other processes, which have seen nothing
    for _ in range(2):
        before = len(product.journal.since())
        assert estate.connectors["product"].read("ticket", [first])[first].handle == "1"
        assert 1 <= len(product.journal.since()) - before <= 2


def test_a_record_that_was_just_made_is_known_by_its_handle_before_any_read(tmp_path):
    estate = pair(tmp_path)
    made = estate.apps["helpdesk"].create({"subject": "Help", "customer_email": "a@b.example"})
    estate.hint("helpdesk", made["id"])
    copy = estate.refs("helpdesk", made["id"])["product"]
    number = estate.apps["product"].store.get(copy)["ticket_number"]
    with estate.ledger.read() as tx:
        assert handles.known(tx, "product", "ticket", [copy]) == {copy: str(number)}
