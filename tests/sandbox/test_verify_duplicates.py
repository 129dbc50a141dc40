"""What counts as a second counterpart."""

from datetime import timedelta

import pytest

from tests.sandbox.played import POSTHOG, SWITCH


@pytest.mark.provokes
def test_a_second_counterpart_is_a_duplicate_whoever_knows_it(run):
    second = run.counterpart_at_posthog("ann@example.com", marker="m1")
    assert run.report().details["duplicates"] == [
        {"ref": ["posthog", second], "why": "one counterpart too many"}
    ]
    run.link({"posthog": second})
    assert run.report().duplicates == 1


def test_a_second_counterpart_with_a_marker_of_its_own_is_a_duplicate(run):
    second = run.counterpart_at_switch("bob@example.com")
    run.link({"switch": second})
    assert run.report().details["duplicates"] == [
        {"ref": ["switch", second], "why": "one counterpart too many"}
    ]


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


class Twins:
    """A ticket that humans opened on both systems, and that the bridge took for two."""

    def __init__(self, run):
        self.run = run
        here = run.switch.create({"subject": "Twin", "customer_email": "di@example.com"})
        self.there = run.posthog.create({"anonymous_traits": {"email": "di@example.com"}})["id"]
        self.ticket, self.customer = here["id"], here["customer"]["id"]

    def seen(self, how, what):
        """Let the bridge see the `ticket` or its `customer`: `left_out`, `listed` or `read`."""
        self.run.clock.sleep(1)
        record = getattr(self, what)
        if how == "read":
            self.run.to_switch.get(f"{SWITCH}/tickets/{record}")
        else:
            self.run.fact(how, connection="switch", id=record, at=self.run.clock.now().isoformat())

    def made_apart(self):
        self.run.clock.sleep(1)
        self.run.link(
            {"posthog": self.there, "switch": self.run.counterpart_at_switch("di@example.com")}
        )
        self.run.link(
            {"switch": self.ticket, "posthog": self.run.counterpart_at_posthog("di@example.com")}
        )


@pytest.fixture
def twins(run):
    return Twins(run)


@pytest.mark.parametrize("what", ["ticket", "customer"])
def test_a_ticket_that_no_listing_had_shown_yet_is_not_the_same_as_its_twin(run, twins, what):
    twins.seen("left_out", what)
    twins.made_apart()
    twins.seen("listed", "ticket")
    assert run.report().duplicates == 0
    assert run.report().details["unlisted_twins"] == [{"ref": ["switch", twins.ticket]}]
    run.link({"posthog": run.counterpart_at_posthog("di@example.com")})
    assert run.report().duplicates == 1


@pytest.mark.parametrize(
    "before",
    [
        [],
        [("left_out", "ticket"), ("listed", "ticket")],
        [("left_out", "customer"), ("listed", "customer")],
        [("listed", "ticket"), ("left_out", "customer")],
        [("left_out", "customer"), ("read", "ticket")],
    ],
)
def test_a_twin_that_the_bridge_could_know_is_not_to_be_made_again(run, twins, before):
    for how, what in before:
        twins.seen(how, what)
    twins.made_apart()
    twins.seen("left_out", "ticket")
    assert run.report().duplicates == 2


def test_a_ticket_that_was_listed_and_taken_out_of_reach_before_it_was_read_was_not_shown(
    run, twins
):
    twins.seen("listed", "ticket")
    twins.seen("left_out", "ticket")
    twins.made_apart()
    twins.seen("listed", "ticket")
    assert run.report().duplicates == 0


def test_a_call_that_was_refused_has_shown_nothing(run, twins):
    twins.seen("left_out", "ticket")
    run.switch.faults.set({"error-before": 1})
    twins.seen("read", "ticket")
    run.switch.faults.set({})
    twins.made_apart()
    twins.seen("listed", "ticket")
    assert run.report().duplicates == 0


@pytest.fixture
def illegible(run, twins):
    """Let answers show no record in place of a twin, and say from when until when that was."""

    def note(since, until):
        at, end = (run.clock.now() + timedelta(seconds=seconds) for seconds in (since, until))
        times = {"at": at.isoformat(), "until": end.isoformat()}
        run.fact("illegible", connection="switch", id=twins.ticket, **times)

    return note


def test_a_twin_in_whose_place_answers_showed_no_record_was_not_shown(run, twins, illegible):
    illegible(0, 60)
    twins.seen("read", "ticket")
    twins.made_apart()
    assert run.report().duplicates == 0
    assert run.report().details["unlisted_twins"] == [{"ref": ["switch", twins.ticket]}]
    run.link({"posthog": run.counterpart_at_posthog("di@example.com")})
    assert run.report().duplicates == 1


@pytest.mark.parametrize(("since", "until"), [(0, 1.5), (1.5, 60), (30, 60)])
def test_a_twin_that_an_answer_showed_or_could_have_shown_is_not_to_be_made_again(
    run, twins, illegible, since, until
):
    illegible(since, until)
    twins.seen("read", "ticket")
    twins.made_apart()
    assert run.report().duplicates == 2


def test_a_copy_that_a_human_must_place_is_no_duplicate_as_long_as_no_other_is_made(run):
    run.switch.create({"subject": "Another", "customer_email": "eve@example.com"})
    copy = run.counterpart_at_posthog("eve@example.com", marker="m9")
    run.fact("ambiguous", connection="posthog", id=copy)
    assert run.report().duplicates == 0
    run.link({"posthog": run.counterpart_at_posthog("eve@example.com", marker="m10")})
    assert run.report().duplicates > 0


def test_copies_of_messages_are_none_of_a_ticket_where_both_are_kept_alike(run):
    run.switch.create({"subject": "Another", "customer_email": "eve@example.com"})
    copy = run.counterpart_at_posthog("eve@example.com", marker="m9")
    run.fact("ambiguous", connection="posthog", id=copy)
    for _ in range(5):
        text = run.counterpart_at_posthog("")  # nothing says whose it is
        run.fact("link", entity="message", refs={"posthog": text})
    assert run.report().duplicates == 0


def test_a_copy_of_what_was_deleted_stays_where_a_ledger_that_was_lost_since_knew_it(run):
    gone = run.switch.create({"subject": "Gone", "customer_email": "eve@example.com"})["id"]
    copy = run.counterpart_at_posthog("eve@example.com")
    run.link({"posthog": copy})
    run.switch.delete(gone)
    assert run.report().duplicates == 1
    run.fact("known", connection="switch", id=gone)
    assert run.report().duplicates == 0
    run.link({"posthog": run.counterpart_at_posthog("eve@example.com")})
    assert run.report().duplicates == 1


def test_what_was_deleted_is_made_again_once_by_a_ledger_that_was_lost_since(run):
    gone = run.switch.create({"subject": "Gone", "customer_email": "eve@example.com"})["id"]
    copy = run.counterpart_at_posthog("eve@example.com")
    run.switch.delete(gone)
    run.link({"posthog": copy, "switch": run.counterpart_at_switch("eve@example.com")})
    assert run.report().duplicates == 2
    run.fact("known", connection="switch", id=gone)
    assert run.report().duplicates == 0
    run.link({"switch": run.counterpart_at_switch("eve@example.com")})
    assert run.report().duplicates == 1


def test_a_copy_that_the_bridge_deleted_is_none_to_a_ledger_that_lost_it(run):
    gone = run.switch.create({"subject": "Gone", "customer_email": "eve@example.com"})["id"]
    copy = run.counterpart_at_posthog("eve@example.com")
    run.switch.delete(gone)
    run.to_posthog.delete(f"{POSTHOG}/{copy}/")
    assert run.report().duplicates == 1
    run.fact("known", connection="posthog", id=copy)
    assert run.report().duplicates == 0


def test_a_copy_with_another_subject_is_a_request_of_its_own_to_a_ledger_that_lost_it(run):
    run.posthog.create({"anonymous_traits": {"email": "eve@example.com"}})
    copy = run.counterpart_at_switch("eve@example.com")
    run.link({"switch": copy})
    run.link({"posthog": run.counterpart_at_posthog("eve@example.com")})
    assert run.report().duplicates == 1
    run.switch.edit(copy, {"subject": "Changed"})
    assert run.report().duplicates == 1
    run.fact("known", connection="switch", id=copy)
    assert run.report().duplicates == 0
