import random

import pytest
import requests

from bridge.sandbox.faults import KINDS, USUAL, Faults, parse
from tests.sandbox.played import POSTHOG, SWITCH


def test_shares_are_read_from_words():
    assert parse("webhook-lost=0.5, throttle=1") == {"webhook-lost": 0.5, "throttle": 1.0}
    assert parse("") == USUAL
    assert parse("webhooks=0") == {"webhook-lost": 1.0}
    assert set(USUAL) == set(KINDS)


@pytest.mark.parametrize(
    "text", ["fire=1", "throttle=2", "throttle=much", "throttle", "webhooks=2"]
)
def test_nonsense_is_refused(text):
    with pytest.raises(ValueError, match=r"unknown fault|share of|could not convert"):
        parse(text)


def test_draws_are_counted_and_follow_the_share():
    faults = Faults(random.Random(3), {"throttle": 0.5})
    hits = sum(bool(faults.draw(["throttle"])) for _ in range(1000))
    assert faults.counts["throttle"] == hits
    assert 400 < hits < 600


def test_an_error_before_does_nothing(switch, to_switch):
    switch.faults.set({"error-before": 1})
    answer = to_switch.post(f"{SWITCH}/tickets", json={"subject": "Help"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "INTERNAL_SERVER_ERROR")
    assert len(switch.store) == 0
    assert [(e.kind, e.fault) for e in switch.journal.since()] == [("error", "error-before")]


@pytest.mark.parametrize(
    ("kind", "raised"),
    [("reset-after", requests.ConnectionError), ("timeout-after", requests.ReadTimeout)],
)
def test_a_dropped_answer_is_an_exception_after_the_commit(
    posthog, to_posthog, clock, kind, raised
):
    posthog.faults.set({kind: 1})
    start = clock.now()
    with pytest.raises(raised):
        to_posthog.post(f"{POSTHOG}/", json={"status": "open"}, timeout=7)
    assert len(posthog.store) == 1
    assert [(e.kind, e.fault) for e in posthog.journal.since()] == [("create", kind)]
    assert (clock.now() - start).total_seconds() == (7 if kind == "timeout-after" else 0)


def test_an_error_after_hides_a_done_write(switch, to_switch):
    switch.faults.set({"error-after": 1})
    assert to_switch.post(f"{SWITCH}/tickets", json={"subject": "Help"}).status_code == 500
    assert len(switch.store) == 1
    assert to_switch.get(f"{SWITCH}/tickets").status_code == 200


@pytest.mark.parametrize("system", ["switch", "posthog"])
def test_throttling_says_when_to_come_back(switch, to_switch, posthog, to_posthog, system):
    app, session, url = (
        (switch, to_switch, SWITCH + "/tickets")
        if system == "switch"
        else (posthog, to_posthog, POSTHOG)
    )
    app.faults.set({"throttle": 1})
    answer = session.get(url)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")
    assert app.faults.counts == {"throttle": 1}


def refused(app, session):
    app.faults.set({"throttle": 1})
    assert session.get(f"{SWITCH}/tickets").status_code == 429
    app.faults.set({})


@pytest.mark.provokes
@pytest.mark.parametrize("seconds", [1, 1.99])
def test_a_call_before_retry_after_has_passed_is_on_record(switch, to_switch, clock, seconds):
    refused(switch, to_switch)
    clock.sleep(seconds)
    to_switch.get(f"{SWITCH}/tickets")
    assert [row.note for row in switch.journal.since()] == [
        "",
        f"forbidden: called {2 - seconds:.1f} s before Retry-After had passed",
    ]


@pytest.mark.parametrize("seconds", [0, 0.99, 2])
def test_calls_that_were_under_way_and_those_that_waited_are_not(switch, to_switch, clock, seconds):
    refused(switch, to_switch)
    clock.sleep(seconds)
    to_switch.get(f"{SWITCH}/tickets")
    assert [row.note for row in switch.journal.since()] == ["", ""]


def test_a_call_that_waited_for_its_turn_counts_by_its_arrival(switch, to_switch, clock):
    """Another caller is refused while it waits, and more time passes than there is grace."""

    class Turn:
        def __enter__(self):
            switch.lock = lock
            refused(switch, to_switch)
            clock.sleep(1.5)

        def __exit__(self, *_):
            pass

    lock, switch.lock = switch.lock, Turn()
    to_switch.get(f"{SWITCH}/tickets")
    assert [row.status for row in switch.journal.since()] == [429, 200]


@pytest.mark.provokes
def test_a_second_refusal_does_not_excuse_who_knew_of_the_first(switch, to_switch, clock):
    refused(switch, to_switch)
    clock.sleep(0.9)
    refused(switch, to_switch)
    clock.sleep(0.2)
    to_switch.get(f"{SWITCH}/tickets")
    assert "called 0.9 s before" in switch.journal.since()[-1].note
