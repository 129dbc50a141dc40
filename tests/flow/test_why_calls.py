"""Each call says why it was made, and for which ticket."""

from __future__ import annotations

from bridge.core.model.vendor_call import BY_HAND
from tests.flow.estate import SWITCH_AND_POSTHOG, Estate


def told(estate, since=0):
    return [(call.connection, call.method, call.why) for call in estate.calls[since:]]


def test_the_calls_of_a_ticket_are_its_own_and_say_why(tmp_path):
    estate = Estate(tmp_path / "home", files={"mappings/syncs.yaml": SWITCH_AND_POSTHOG})
    estate.apps["helpdesk"].create({"subject": "It is slow", "customer_email": "ana@example.com"})
    (ticket,) = estate.apps["helpdesk"].tickets()
    first = ticket["id"]
    estate.hint("helpdesk", first)
    made = told(estate)
    assert ("helpdesk", "GET", "observe") in made
    assert any(why == "search" for _, _, why in made)
    begun = len(estate.calls)
    estate.hint("helpdesk", first)
    link_ids = {call.link_id for call in estate.calls[begun:]}
    assert len(link_ids) == 1
    assert None not in link_ids
    assert {call.attempt for call in estate.calls} == {1}
    estate.connectors["helpdesk"].read("ticket", [first])
    assert estate.calls[-1].why == BY_HAND


def test_a_listing_says_of_which_kind_of_work_it_is(tmp_path):
    estate = Estate(tmp_path / "home", files={"mappings/syncs.yaml": SWITCH_AND_POSTHOG})
    estate.reconcile("full")
    assert ("helpdesk", "GET", "reconcile") in told(estate)
