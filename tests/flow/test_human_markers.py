"""A human's tag or trait that looks like the bridge's own marker is a human's."""

import pytest

from bridge.ledger import intents
from tests.flow.pair import pair
from tests.ledger.helpers import begin_intent

TAGS = [
    "bridge-outage",
    "bridge-club",
    "bridge-2",
    "bridge-team-emea",
    "bridge-0123456789abcdef0123",  # the form of earlier versions, and no create on record
    "bridge-aaaaaaaaaaaaaaaaaaaaaaaaaaaa",  # the form of today, and it proves nothing
    "Bridge-Outage",
    "bridge-",
    "bridge",
]


@pytest.fixture
def estate(tmp_path):
    """With a ticket that shows a tag: without one, no set of PostHog's is ever believed."""
    made = pair(tmp_path)
    traits = {"email": "known@customer.example", "subject": "Known"}
    known = made.apps["product"].create({"anonymous_traits": traits, "tags": ["old"]})["id"]
    made.hint("product", known)
    return made


def shown(estate, name, remote_id):
    return next(row for row in estate.apps[name].tickets() if row["id"] == remote_id)


@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_is_mirrored_kept_and_goes_when_a_human_removes_it(estate, tag):
    helpdesk, product = estate.apps["helpdesk"], estate.apps["product"]
    made = helpdesk.create({"subject": "Help", "tags": ["billing", tag]})["id"]
    estate.hint("helpdesk", made)
    copy = estate.refs("helpdesk", made)["product"]
    assert {each.casefold() for each in shown(estate, "product", copy)["tags"]} == {
        "billing",
        tag.casefold(),
    }
    product.edit(copy, {"add_tags": ["urgent"]})
    estate.clock.advance(1)
    estate.hint("product", copy)
    assert set(shown(estate, "helpdesk", made)["tags"]) == {"billing", tag, "urgent"}
    helpdesk.edit(made, {"remove_tags": [tag]})
    estate.clock.advance(1)
    estate.hint("helpdesk", made)
    assert set(shown(estate, "product", copy)["tags"]) == {"billing", "urgent"}


def test_our_own_marker_is_hidden_and_only_that_is_taken_off(estate):
    traits = {"email": "ana@customer.example", "subject": "Help"}
    made = estate.apps["product"].create({"anonymous_traits": traits, "tags": ["bridge-club"]})[
        "id"
    ]
    estate.hint("product", made)
    copy = estate.refs("product", made)["helpdesk"]
    planted = set(shown(estate, "helpdesk", copy)["tags"]) - {"bridge-club"}
    assert len(planted) == 1
    assert shown(estate, "product", made)["tags"] == ["bridge-club"]
    estate.apps["product"].edit(made, {"add_tags": ["urgent"]})
    estate.clock.advance(1)
    estate.hint("product", made)
    assert set(shown(estate, "helpdesk", copy)["tags"]) == {"bridge-club", "urgent"}


def test_a_marker_of_an_earlier_version_is_hidden_while_its_create_is_on_record(estate):
    made = estate.apps["helpdesk"].create({"subject": "Help", "tags": ["billing"]})["id"]
    estate.hint("helpdesk", made)
    copy = estate.refs("helpdesk", made)["product"]
    link = next(each for each in estate.links() if each.sides["helpdesk"].remote_id == made)
    earlier, now = "0123456789abcdef0123", estate.clock.now()
    with estate.ledger.transaction() as tx:
        assert begin_intent(
            tx,
            link_id=link.id,
            connection="desk",
            entity="ticket",
            marker=earlier,
            draft={},
            send_by=now,
            now=now,
        )
        intents.close(tx, earlier, "created", made, now)
    estate.apps["helpdesk"].edit(made, {"add_tags": [f"bridge-{earlier}", "vip"]})
    estate.clock.advance(1)
    estate.hint("helpdesk", made)
    assert set(shown(estate, "product", copy)["tags"]) == {
        "billing",
        "vip",
    }


def test_a_trait_that_the_bridge_did_not_write_is_the_customers(estate):
    traits = {"subject": "Help", "email": "ana@customer.example", "bridge_marker": "mine"}
    made = estate.apps["product"].create({"anonymous_traits": traits})["id"]
    estate.hint("product", made)
    assert set(estate.refs("product", made)) == {"product", "helpdesk"}
    record = estate.connectors["product"].read("ticket", [made])[made]
    assert record.marker is None
    assert record.data["anonymous_traits"] == traits


def test_a_customer_cannot_pass_a_ticket_off_as_a_copy(estate):
    """Whoever knows the form but not the key gets a ticket of their own, as anybody does."""
    first = estate.apps["helpdesk"].create({"subject": "Help", "customer_email": "bo@x.example"})
    estate.hint("helpdesk", first["id"])
    traits = {"subject": "Mine", "email": "ana@customer.example"}
    theirs = shown(estate, "product", estate.refs("helpdesk", first["id"])["product"])
    theirs = theirs["anonymous_traits"]["bridge_marker"]
    for forged in (theirs[:-1] + "z", theirs):
        made = estate.apps["product"].create(
            {"anonymous_traits": {**traits, "bridge_marker": forged}}
        )["id"]
        estate.hint("product", made)
        refs = estate.refs("product", made)
        assert set(refs) == {"product", "helpdesk"}
        assert refs["helpdesk"] != first["id"]
        traits = {"subject": "Mine, too", "email": "cy@customer.example"}
