"""A listing of which one row is odd: every other record is mirrored, and nothing counts as gone."""

import pytest

from bridge.connectors import build
from bridge.http.client import Http
from bridge.ledger import run_records
from bridge.sandbox.transport import WSGIAdapter
from tests.connectors.odd_vendor import ODD, OddVendor
from tests.flow.pair import pair

VALUES = {
    "half of an emoji": (rb'"Ticket 2 \ud83d"', "Ticket 2 \ufffd"),
    "the other half": (rb'"Ticket 2 \ude00"', "Ticket 2 \ufffd"),
    "a raw tab": (b'"Ticket\t2"', "Ticket\t2"),
    "a raw vertical tab": (b'"Ticket\x0b2"', "Ticket\x0b2"),
    "a byte of Latin-1": (b'"caf\xe9"', "caf\ufffd"),
    "NUL": (rb'"Ticket 2 \u0000"', "Ticket 2 \ufffd"),
}


@pytest.fixture
def estate(tmp_path):
    return pair(tmp_path)


@pytest.fixture
def vendor(estate):
    vendor = OddVendor(WSGIAdapter(estate.apps["helpdesk"], estate.clock))
    connection = estate.context.connections["helpdesk"]
    estate.connectors["helpdesk"] = build(
        connection, Http(connection, clock=estate.clock, adapter=vendor)
    )
    return vendor


def open_tickets(estate):
    """Have customers open three tickets, a minute apart; give their ids."""
    ids = []
    for number in (1, 2, 3):
        row = estate.apps["helpdesk"].create(
            {"subject": f"Ticket {number}", "customer_email": f"c{number}@customer.example"}
        )
        ids.append(row["id"])
        estate.clock.advance(60)
    return ids


def subjects(estate):
    return sorted(row["anonymous_traits"]["subject"] for row in estate.apps["product"].store)


def writes(estate):
    return [
        (name, row.kind, row.method, row.path)
        for name in ("helpdesk", "product")
        for row in estate.journal(name, "create", "write", "delete")
    ]


def last_run(estate, kind="full"):
    with estate.ledger.read() as tx:
        return run_records.last(tx, kind=kind, connection="helpdesk", entity="ticket")


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "BOM"])
def test_an_odd_subject_is_mirrored_and_reading_it_again_writes_nothing(
    estate, vendor, value, mark
):
    raw, shown = VALUES[value]
    ids = open_tickets(estate)
    vendor.raw, vendor.before = raw, mark
    vendor.rows = {ids[1]: lambda row: {**row, "subject": ODD, "score": ODD}}
    estate.reconcile("full")
    assert subjects(estate) == sorted(["Ticket 1", shown, "Ticket 3"])
    run = last_run(estate)
    assert (run.error, run.finished_at is not None) == ("", True)
    before = writes(estate)
    estate.reconcile("poll", "full")
    estate.hint("helpdesk", ids[1])
    assert writes(estate) == before
    assert estate.parked() == []


def test_an_odd_number_that_nobody_maps_changes_nothing(estate, vendor):
    ids = open_tickets(estate)
    vendor.raw = b"NaN"
    vendor.rows = {ids[1]: lambda row: {**row, "score": ODD}}
    estate.reconcile("full", "poll")
    assert subjects(estate) == ["Ticket 1", "Ticket 2", "Ticket 3"]
    assert last_run(estate).error == last_run(estate, "poll").error == ""


def odd_line(estate, name):
    odd = OddVendor(WSGIAdapter(estate.apps[name], estate.clock))
    connection = estate.context.connections[name]
    estate.connectors[name] = build(connection, Http(connection, clock=estate.clock, adapter=odd))
    return odd


def shows_nan(odd, remote_id, *names):
    odd.raw = b"NaN"
    odd.rows = {remote_id: lambda row: {**row, **dict.fromkeys(names, ODD)}}


def test_a_number_that_is_none_is_no_unset_value_at_first_contact(estate):
    asked = {"subject": "Export", "email": "ana@customer.example"}
    product = estate.apps["product"].create({"anonymous_traits": asked, "priority": "low"})
    odd = odd_line(estate, "product")
    shows_nan(odd, product["id"], "priority")
    helpdesk = estate.apps["helpdesk"].create(
        {"subject": "Export", "customer_email": "ana@customer.example", "priority": "low"}
    )
    estate.reconcile("full")
    assert estate.refs("product", product["id"]).keys() == {"helpdesk", "product"}
    odd.rows = {}
    estate.reconcile("full")
    assert writes(estate) == [], "both have said low all the while"
    assert estate.apps["helpdesk"].store.get(helpdesk["id"])["priority"] == "low"


def test_a_number_that_is_none_empties_nothing_and_is_no_edit_when_it_is_over(estate):
    helpdesk, product = estate.apps["helpdesk"], estate.apps["product"]
    row = helpdesk.create(
        {"subject": "Export", "customer_email": "ana@customer.example", "priority": "low"}
        | {"tags": ["vip"], "assignee_id": "usr_1"}
    )
    estate.reconcile("full")
    copy = estate.refs("helpdesk", row["id"])["product"]
    product.edit(copy, {"priority": "high"})
    estate.reconcile("full")
    before = writes(estate)
    odd = odd_line(estate, "product")
    shows_nan(odd, copy, "priority", "tags", "assignee")
    estate.clock.advance(60)
    estate.reconcile("poll", "full")
    assert writes(estate) == before
    helpdesk.edit(row["id"], {"priority": "urgent"})
    estate.reconcile("full")
    estate.clock.advance(60)
    odd.rows = {}
    estate.reconcile("full")
    assert product.store.get(copy)["priority"] == "critical", "the edit since, not the old value"
    assert helpdesk.store.get(row["id"])["priority"] == "urgent"
    assert helpdesk.store.get(row["id"])["tags"] == ["vip"]


SHAPES = {
    "a text": lambda _row: "oops",
    "null": lambda _row: None,
    "a list": list,
    "no id": lambda row: {name: value for name, value in row.items() if name != "id"},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_row_that_shows_no_record_is_left_out_named_and_not_missed(estate, vendor, shape):
    ids = open_tickets(estate)
    estate.reconcile("full")
    vendor.rows = {ids[1]: SHAPES[shape]}
    estate.clock.advance(60)
    estate.apps["helpdesk"].edit(ids[2], {"status": "pending"})
    estate.apps["helpdesk"].delete(ids[0])
    estate.reconcile("poll", "full")
    run = last_run(estate)
    assert (run.error, run.finished_at is not None, run.figures["unreadable"]) == ("", True, 1)
    assert run.figures["unreadable_rows"][0].startswith("page 1, row ")
    assert "rows that cannot be read" in run.figures["absences"]
    by_subject = {row["anonymous_traits"]["subject"]: row for row in estate.apps["product"].store}
    assert by_subject["Ticket 3"]["status"] == "pending"
    assert all("helpdesk" in link.live() for link in estate.links()), "nothing counts as gone"
    vendor.rows = {}
    estate.reconcile("full")
    assert "unreadable" not in last_run(estate).figures
    assert sum("helpdesk" in link.live() for link in estate.links()) == 2
