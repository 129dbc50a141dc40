"""How people name a ticket, and what they are told when that names none or several."""

import pytest

from bridge.core.model.state import FieldState, Link, Side
from bridge.ledger import links
from tests.cli.test_operator import NOW, Home


@pytest.fixture
def named(run, tmp_path):
    home = Home(run, tmp_path)
    for link_id, remote_id in (("l1", "b652a9fd-9f06"), ("l2", "b652ffff-0000"), ("l3", "17")):
        link = Link(link_id, "support-tickets", "ticket", {"status": FieldState()})
        link.sides["product"] = Side("product", remote_id, {})
        with home.ledger.transaction() as tx:
            assert links.create(tx, link, NOW)
    yield home
    home.ledger.close()


FOUND = {
    "product:b652a": "l1",
    "b652f": "l2",
    "b652a9fd…": "l1",
    "product:b652a9fd...": "l1",
    "1…": "l3",
    "product:17…": "l3",
}
NOT_FOUND = {
    "b652": "several tickets begin with b652: product:b652a9fd-9f06, product:b652ffff-0000\n",
    "1": "no ticket is called 1\n",  # so short, it is a typing error rather than a beginning
    "product:": "no ticket is called product:\n",
    "product:%%%%": "no ticket is called product:%%%%\n",
    "helpdesk:b652a9fd-9f06": "close to it: product:b652a9fd-9f06\n",
    "b652a9xx-9f06": "close to it: product:b652a9fd-9f06\n",
    "zzzzzzz": "no ticket is called zzzzzzz\n",
}


def test_a_ticket_is_found_by_a_beginning_that_no_other_has(named):
    assert {ref: named.json("ticket", ref)[0]["id"] for ref in FOUND} == FOUND
    assert named.json("why", "b652f", "status")[0]["link"] == "l2"


def test_what_names_no_ticket_or_several_is_told_what_it_could_be(named):
    messages = {ref: named("ticket", ref, code=2) for ref in NOT_FOUND}
    assert [ref for ref, message in NOT_FOUND.items() if message not in messages[ref]] == []
