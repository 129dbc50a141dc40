"""What a receiver takes: so many webhooks, each once, whatever is written where nobody signed."""

import io
import json

import pytest

from bridge.core.model.syncs import Rate
from bridge.web.receiver.late_answer import LateAnswer
from bridge.web.receiver.rates import REFUSED, RateMeter
from tests.web.receiver import EVENT, Hands, signed

UNSIGNED_ID = ("helpdesk", "desk")


def repeated(receiver, name, times):
    return [
        receiver.post(name, delivery=f"d{number}", headers={"x-webhook-delivery": f"n{number}"})
        for number in range(times)
    ]


@pytest.mark.parametrize("name", UNSIGNED_ID)
def test_a_body_that_comes_300_times_is_one_row_whatever_number_it_bears(receiver, name):
    answers = []
    for _ in range(6):
        answers += repeated(receiver, name, 50)
        receiver.clock.sleep(40)  # past the end of a stretch of five minutes, but for 240 s in all
    assert [answer.status_code for answer in answers] == [202] + 299 * [200]
    [row] = receiver.inbox()
    assert row["deliveries"] == 300
    [(_key, generation)] = receiver.work()
    assert generation >= 300  # each of them raised the look at the record


@pytest.mark.parametrize("name", UNSIGNED_ID)
def test_after_the_window_it_is_another_delivery(receiver, name):
    receiver.post(name)
    receiver.clock.sleep(301)
    receiver.post(name)
    receiver.clock.sleep(299)
    receiver.post(name)
    assert [row["deliveries"] for row in receiver.inbox()] == [1, 2]


@pytest.mark.parametrize("name", ["helpdesk", "product", "desk", "timed"])
def test_more_than_the_connection_may_send_is_answered_when_to_come_again(receiver, name):
    webhook = receiver.config.connections[name].webhook
    object.__setattr__(webhook, "rate_limit", (Rate(5, 1.0), Rate(8, 60.0)))
    answers = [receiver.post(name, delivery=f"d{number}") for number in range(7)]
    assert [answer.status_code for answer in answers[-2:]] == [429, 429]
    assert {answer.status_code for answer in answers[:5]} <= {200, 202}
    assert answers[-1].headers["Retry-After"] == "1"
    assert answers[-1].json == {"error": "too many webhooks at once; send this again later"}
    assert receiver.count(name, "TooMany") == 2
    receiver.clock.sleep(1)
    again = [receiver.post(name, delivery=f"e{number}") for number in range(4)]
    assert [answer.status_code for answer in again].count(429) == 1
    assert again[-1].headers["Retry-After"] == "7"  # 8 a minute: room for the next in 6.5 s
    other = next(each for each in ("helpdesk", "product") if each != name)
    assert receiver.post(other).status_code == 202


@pytest.mark.parametrize("name", ["helpdesk", "nobody"])
def test_a_flood_of_bad_signatures_is_put_off_and_takes_nothing_from_the_vendor(receiver, name):
    def bad():
        return receiver.client.post(
            f"/webhooks/{name}",
            data=EVENT,
            headers={"content-type": "application/json", "x-webhook-signature": "0" * 64},
        )

    allowed = REFUSED[0].calls
    answers = [bad() for _ in range(allowed + 5)]
    refused = 401 if name == "helpdesk" else 404
    assert [answer.status_code for answer in answers] == allowed * [refused] + 5 * [429]
    assert answers[-1].headers["Retry-After"] == "1"
    assert receiver.post("helpdesk").status_code == 202
    receiver.clock.sleep(10)
    assert bad().status_code == refused


def test_a_meter_keeps_to_every_rate_and_forgets_with_time():
    clock, waits = Hands(), []
    meter, rates = RateMeter(clock), (Rate(2, 1.0), Rate(3, 10.0))
    for passed in (0, 0, 0, 1, 0, 29, 0, 0):
        clock.sleep(passed)
        waits.append(round(meter.wait("a", rates), 2))
    assert waits == [0, 0, 0.5, 0, 2.33, 0, 0, 0.5]
    assert meter.wait("b", rates) == 0
    assert meter.wait("c", ()) == 0


def test_webhooks_that_arrive_slowly_make_no_room_for_more(receiver):
    """Each is read for a second, in which another comes and is taken."""
    webhook = receiver.config.connections["helpdesk"].webhook
    object.__setattr__(webhook, "rate_limit", (Rate(10, 10.0),))
    raw, statuses = EVENT.encode(), []

    class Slow(io.BytesIO):
        def read(self, size=-1):
            if self.tell() == 0:
                receiver.clock.sleep(1)
                statuses.append(receiver.post().status_code)
            return super().read(size)

    for _ in range(20):
        headers = signed(receiver.config.connections, "helpdesk", raw, receiver.clock.now())
        answer = receiver.app.extensions["bridge"]["receiver"].receive(
            "helpdesk", headers, Slow(raw)
        )
        statuses.append((answer.waited() if isinstance(answer, LateAnswer) else answer)[0])
    assert len(statuses) - statuses.count(429) == 10 + 19  # ten in the first second, then one


def test_a_clock_that_was_set_back_stops_no_webhooks():
    clock = Hands()
    meter, rates = RateMeter(clock), (Rate(2, 10.0),)
    assert [meter.wait("a", rates) for _ in range(3)] == [0, 0, 5]
    clock.sleep(-3600)
    assert meter.wait("a", rates) == 5
    clock.sleep(5)
    assert meter.wait("a", rates) == 0


@pytest.mark.parametrize("remote_id", [".", "..", "", " a", "a\n", "x" * 201])
@pytest.mark.parametrize("name", ["helpdesk", "product"])
def test_an_id_that_would_lead_elsewhere_in_an_address_is_refused(receiver, name, remote_id):

    answer = receiver.post(name, json.dumps({"entity": "ticket", "id": remote_id}))
    assert answer.json["status"] == "quarantined"
    assert receiver.work() == []
