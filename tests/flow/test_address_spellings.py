"""The customer of a Switch ticket and the address of a PostHog ticket: whether the two meet."""

import pytest

from bridge.ledger import timeline
from tests.flow.pair import pair

SUBJECT = "It does not print"
SAME = [
    ("Ana@Example.com", "ana@example.COM"),
    (" ana@example.com ", "ana@example.com"),
    ("ana@example.com\N{NO-BREAK SPACE}", "ana@example.com"),
    ("josé@example.com", "jose\N{COMBINING ACUTE ACCENT}@example.com"),
    ("Ana <ana@example.com>", "ana@example.com"),
    ("<ana@example.com>", "ana@example.com"),
    ("mailto:ana@example.com", "ana@example.com"),
    ("ana@example.com.", "ana@example.com"),
    ("ana@example.com\N{ZERO WIDTH SPACE}", "ana@example.com"),
]


def raised(estate, product, helpdesk):
    """A ticket of each, made an hour apart, so that only subject and customer can tell."""
    at_product = estate.apps["product"].create(
        {"anonymous_traits": {"email": product, "subject": SUBJECT}}
    )["id"]
    estate.clock.advance(3600)
    at_helpdesk = estate.apps["helpdesk"].create({"subject": SUBJECT, "customer_email": helpdesk})
    return at_product, at_helpdesk["id"]


@pytest.mark.parametrize(("product", "helpdesk"), SAME)
@pytest.mark.parametrize("first", ["product", "helpdesk"])
def test_they_are_the_same_person(tmp_path, product, helpdesk, first):
    estate = pair(tmp_path)
    at_product, at_helpdesk = raised(estate, product, helpdesk)
    seen = [("product", at_product), ("helpdesk", at_helpdesk)]
    for name, remote_id in seen if first == "product" else reversed(seen):
        estate.hint(name, remote_id)
    assert estate.refs("product", at_product) == {"product": at_product, "helpdesk": at_helpdesk}
    assert len(estate.apps["helpdesk"].tickets()) == len(estate.apps["product"].tickets()) == 1


def test_another_address_of_the_same_box_is_another_person(tmp_path):
    estate = pair(tmp_path)
    at_product, at_helpdesk = raised(estate, "ana+x@example.com", "ana@example.com")
    estate.hint("product", at_product)
    estate.hint("helpdesk", at_helpdesk)
    assert at_helpdesk not in estate.refs("product", at_product).values()
    assert len(estate.apps["helpdesk"].tickets()) == 2


@pytest.mark.parametrize(("spelling", "address"), [(left, "ana@example.com") for left, _ in SAME])
def test_what_is_written_is_the_address_and_nothing_else(tmp_path, spelling, address):
    estate = pair(tmp_path)
    made = estate.apps["product"].create(
        {"anonymous_traits": {"email": spelling, "subject": SUBJECT}}
    )["id"]
    estate.hint("product", made)
    (ticket,) = estate.apps["helpdesk"].tickets()
    assert ticket["customer"]["email"] == (address if "jos" not in spelling else "josé@example.com")


@pytest.mark.parametrize(
    ("spelling", "why"),
    [
        ("ana@example.com, bob@example.com", "holds more than one e-mail address"),
        ("ana at example", "is no e-mail address"),
    ],
)
def test_what_is_no_address_makes_no_customer_and_stands_on_the_timeline(tmp_path, spelling, why):
    estate = pair(tmp_path)
    made = estate.apps["product"].create(
        {"anonymous_traits": {"email": spelling, "subject": SUBJECT}}
    )["id"]
    estate.hint("product", made)
    (ticket,) = estate.apps["helpdesk"].tickets()
    assert not ticket["customer"]
    (link,) = estate.links()
    with estate.ledger.read() as tx:
        lines = timeline.timeline(tx, link.id)
    said = [line.detail.get("why", "") for line in lines if line.field == "customer"]
    assert any(why in each for each in said), said
