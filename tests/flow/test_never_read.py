"""What a deployment never shows of its records, and how the bridge says so."""

import pytest

from bridge.operations.evidence import facts
from tests.flow.estate import Estate


def never_read(estate):
    with estate.ledger.read() as tx:
        rows = facts(estate.context, tx)
    at_desk = [row for row in rows if row.get("connection") == "desk"]
    return [row["field"] for row in at_desk if row["kind"] == "never_read"]


@pytest.mark.parametrize("listed", [True, False])
def test_tags_are_never_read_only_where_no_tag_of_the_workspace_is_known(tmp_path, listed):
    estate = Estate(tmp_path / "home", options={"desk": {"tag_listing": listed}})
    fields = {"summary": "Help", "ownerEmail": "ann@customer.example", "tags": ["export"]}
    chat = estate.apps["desk"].create(fields)["id"]
    estate.hint("desk", chat)
    assert never_read(estate) == ["tags"]
    estate.clock.advance(60)
    estate.reconcile()
    estate.hint("desk", chat)  # a read of the ticket alone shows none, and takes nothing back
    assert never_read(estate) == ([] if listed else ["tags"])
    there = estate.apps["helpdesk"].store.get(estate.refs("desk", chat)["helpdesk"])
    assert ("export" in there["tags"]) is listed
