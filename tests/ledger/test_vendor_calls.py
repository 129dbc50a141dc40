"""The last calls to vendors: kept in bulk, listed by keys, forgotten by age and by number."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.core.model.vendor_call import KeptBodies, VendorCall
from bridge.ledger import renaming, vendor_calls
from bridge.ledger.vendor_calls import CallFilter

HUGE = 10_000


def a_call(now, number=0, **changes):
    values = {
        "at": now, "connection": "desk", "why": "observe", "method": "GET",
        "path": f"/tickets/{number}", "status": 200, "ms": 10 + number, "sent_bytes": 0,
        "received_bytes": 100,
    }  # fmt: skip
    return VendorCall(**values | changes)


def listed(tx, *, before=None, limit=HUGE, within=HUGE, **wanted):
    rows, following = vendor_calls.page(
        tx, CallFilter(**wanted), before=before, limit=limit, within=within
    )
    return [row.call.path for row in rows], following


def test_a_call_comes_back_as_it_was_given(ledger, now):
    kept = KeptBodies("/x?a=\ud800", "sent \x00", "answered ü")
    given = a_call(
        now, link_id="a", attempt=3, code="BRG-401-KEY", error="no \ud800 ü", retry_after=1.5,
        request_id="req", sent={"a": "text of 1"}, answered={"•••": "null"}, kept=kept,
    )  # fmt: skip
    with ledger.transaction() as tx:
        vendor_calls.add_all(tx, [])
        vendor_calls.add_all(tx, [given, a_call(now, 1, status=None)])
        (second, first), _ = vendor_calls.page(
            tx, CallFilter(), before=None, limit=HUGE, within=HUGE
        )
        assert vendor_calls.get(tx, first.id) == first
        assert vendor_calls.get(tx, first.id + 50) is None
    given.error = "no ? ü"
    assert first.call == given
    assert second.call.status is None


def test_pages_go_on_by_keys_and_filters_narrow_down(ledger, now):
    rows = [
        a_call(
            now, number, connection="desk" if number % 2 else "help",
            status=(200, 404, 500, None)[number % 4], code="" if number % 4 == 0 else "BRG-X",
            link_id="a" if number < 4 else None, method="GET" if number < 6 else "PATCH",
        )
        for number in range(8)
    ]  # fmt: skip
    with ledger.transaction() as tx:
        vendor_calls.add_all(tx, rows)

        def numbers(**wanted):
            return [int(path.rpartition("/")[2]) for path in listed(tx, **wanted)[0]]

        assert numbers() == [7, 6, 5, 4, 3, 2, 1, 0]
        assert numbers(connection="desk") == [7, 5, 3, 1]
        assert numbers(link_id="a", connection="help") == [2, 0]
        assert numbers(outcome="2xx") == [4, 0]
        assert numbers(outcome="4xx") == [5, 1]
        assert numbers(outcome="no answer") == [7, 3]
        assert numbers(outcome="failed") == [7, 6, 5, 3, 2, 1]
        assert numbers(method="PATCH", slower_than=16) == [7]
        for within in (HUGE, 3):
            seen, before = [], None
            while True:
                paths, before = listed(
                    tx, connection="desk", outcome="failed", before=before, limit=2, within=within
                )
                seen += paths
                if before is None:
                    break
            assert seen == [f"/tickets/{number}" for number in (7, 5, 3, 1)]


def test_calls_are_forgotten_by_age_and_by_number_a_bounded_part_at_once(ledger, now):
    old = [a_call(now - timedelta(days=2), number) for number in range(5)]
    new = [a_call(now, number) for number in range(5, 15)]
    few = [a_call(now, number, connection="help") for number in range(3)]
    with ledger.transaction() as tx:
        vendor_calls.add_all(tx, [*old, *few, *new])

        def prune():
            return vendor_calls.prune(tx, now - timedelta(days=1), most=4, limit=3)

        assert prune() == 6  # three that are old, and three more than may be kept
        while prune():
            pass
        assert listed(tx, connection="desk")[0] == [f"/tickets/{each}" for each in (14, 13, 12, 11)]
        assert len(listed(tx, connection="help")[0]) == 3


def test_a_connection_that_is_renamed_keeps_its_calls(ledger, now):
    with ledger.transaction() as tx:
        vendor_calls.add_all(tx, [a_call(now)])
        assert renaming.rename_connection(tx, "desk", "front")["vendor_call"] == 1
        assert listed(tx, connection="front")[0] == ["/tickets/0"]


@pytest.mark.parametrize("error", ["", "a vendor's words"])
def test_what_may_name_a_person_is_erased_and_the_calls_of_their_tickets_are(ledger, now, error):
    kept = KeptBodies("/x", "Ana", "Ana")
    with ledger.transaction() as tx:
        theirs = a_call(now, 1, link_id="hers")
        other = a_call(now, 2, link_id="another", kept=kept, error=error)
        vendor_calls.add_all(tx, [theirs, other, a_call(now, 3)])
        assert vendor_calls.erase(tx, ["hers"]) == 2
        rows, _ = vendor_calls.page(tx, CallFilter(), before=None, limit=HUGE, within=HUGE)
    assert [(row.call.path, row.call.kept, row.call.error) for row in rows] == [
        ("/tickets/3", None, ""),
        ("/tickets/2", None, ""),
    ]
