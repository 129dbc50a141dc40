"""What counts as a second counterpart."""

import pytest


@pytest.mark.provokes
def test_a_second_counterpart_is_a_duplicate_whoever_knows_it(run):
    second = run.counterpart_at_posthog("ann@example.com", marker="m1")
    assert run.report().details["duplicates"] == [{"ref": ["posthog", second], "why": "one counterpart too many"}]
    run.link({"posthog": second})
    assert run.report().duplicates == 1


def test_a_second_counterpart_with_a_marker_of_its_own_is_a_duplicate(run):
    second = run.counterpart_at_switch("bob@example.com")
    run.link({"switch": second})
    assert run.report().details["duplicates"] == [{"ref": ["switch", second], "why": "one counterpart too many"}]


def test_what_was_opened_on_both_systems_is_one_ticket_and_a_copy_of_it_is_a_duplicate(run):
    run.switch.create({"subject": "Twin", "customer_email": "di@example.com"})
    run.posthog.create({"anonymous_traits": {"email": "di@example.com"}})
    assert run.report().duplicates == 0
    run.link({"posthog": run.counterpart_at_posthog("di@example.com")})
    assert run.report().duplicates == 1


def test_a_copy_that_a_human_deleted_before_the_bridge_knew_of_it_is_made_again(run):
    first = run.counterpart_at_posthog("ann@example.com")
    assert run.report().duplicates == 1
    run.posthog.delete(first)
    assert run.report().duplicates == 0


def test_a_record_in_two_links_is_a_duplicate(run):
    run.link({"switch": run.here, "posthog": run.there})
    assert run.report().duplicates == 2
