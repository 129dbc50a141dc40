"""`bridge conflicts list`: what each side says, and which of them is gone."""

from datetime import timedelta

import pytest

from bridge.ledger import links
from tests.cli.test_operator import NOW, Home


@pytest.fixture
def home(run, tmp_path):
    made = Home(run, tmp_path)
    yield made
    made.ledger.close()


def test_a_conflict_says_which_of_its_sides_is_gone(home):
    home.ticket(helpdesk="open", product="resolved")
    with home.ledger.transaction() as tx:
        fence = links.lease(tx, "l1", "w", NOW, NOW + timedelta(minutes=1))
        link = links.load(tx, ["l1"])["l1"]
        link.sides["helpdesk"].tombstone = True
        links.save(tx, link, "w", fence, NOW)
    (conflict,) = home.json("conflicts", "list")
    assert (conflict["ref"], conflict["gone"]) == ("product:r-product", {"helpdesk": "deleted"})
    assert 'helpdesk "open" (deleted), product "resolved"' in home("conflicts", "list")
