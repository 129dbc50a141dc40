"""A Redis or a ledger that hangs holds up nobody who asks how the bridge is."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta

from bridge.web.latest_look import LatestLook
from tests.web.receiver import Hands

KEEP = timedelta(seconds=2)


class Hanging:
    """Something to be looked at that does not answer before it is told to."""

    def __init__(self):
        self.go_on, self.begun, self.looks = threading.Event(), threading.Event(), 0

    def look(self):
        self.looks += 1
        self.begun.set()
        assert self.go_on.wait(60)
        return "found"


def late(last):
    return f"late, {last} before"


def test_however_many_ask_one_looks_and_all_have_its_answer():
    it = Hanging()
    latest = LatestLook(it.look, late, Hands(), KEEP, patience=20)
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(latest.current) for _ in range(8)]
        assert it.begun.wait(60)
        it.go_on.set()
        assert {answer.result(20) for answer in answers} == {"found"}
    assert latest.current() == "found"
    assert it.looks == 1


def test_what_was_found_is_looked_for_again_when_its_time_is_over():
    it, clock = Hanging(), Hands()
    it.go_on.set()
    latest = LatestLook(it.look, late, clock, KEEP, patience=20)
    latest.current()
    clock.sleep(KEEP.total_seconds())
    latest.current()
    assert it.looks == 2


def test_what_was_found_before_the_clock_was_set_back_is_looked_for_again():
    it, clock = Hanging(), Hands()
    it.go_on.set()
    latest = LatestLook(it.look, late, clock, KEEP, patience=20)
    latest.current()
    clock.sleep(-3600)
    latest.current()
    latest.current()
    assert it.looks == 2


def test_nobody_waits_for_a_look_that_hangs_and_no_second_one_begins():
    it = Hanging()
    latest = LatestLook(it.look, late, Hands(), KEEP, patience=0.01)
    assert [latest.current() for _ in range(3)] == ["late, None before"] * 3
    it.go_on.set()
    latest.patience = 20
    while latest.current() != "found":
        pass
    assert it.looks == 1


def test_a_look_that_fails_is_a_late_answer(caplog):
    def fail():
        raise ZeroDivisionError

    assert LatestLook(fail, late, Hands(), KEEP, patience=20).current() == "late, None before"
    assert "failed" in caplog.text


def test_probes_beside_a_redis_that_hangs_are_answered(receiver):
    receiver.bell.hangs = threading.Event()
    paths = ["/readyz", "/metrics"] * 4
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(receiver.app.test_client().get, path) for path in paths]
        done, _ = wait(asked, 20)
        receiver.bell.hangs.set()
    assert len(done) == 8
    assert len(receiver.bell.asked) == 1
    assert asked[0].result().json == {"status": "degraded", "ledger": "ok", "redis": "down"}
    assert 'bridge_up{part="redis"} 0' in asked[1].result().text


def test_an_address_with_two_slashes_is_no_address_and_the_answer_is_json(receiver):
    answer = receiver.client.post("/webhooks//helpdesk", data="{}")
    assert (answer.status_code, answer.json) == (404, {"error": "Not Found"})
