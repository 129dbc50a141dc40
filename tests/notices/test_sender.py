"""Each notice gets there at least once, with one id and a good signature, whatever happens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from bridge.connectors.signing import verify
from bridge.core.model.syncs import Secret, Webhook
from bridge.errors import BadSignature
from bridge.http.notice_call import NoticeAnswer
from bridge.ledger import notice_outbox
from bridge.notices import sender as sending
from bridge.notices.sender import RETRIES, NoticeSender
from tests.notices.desk import SECRET, Receiver, Teller, endpoint, park, scope, sender

OTHER = "whsec_" + base64.b64encode(b"another secret of 32 bytes or so").decode()


@pytest.fixture
def waiting(teller, clock):
    """A notice that waits to be sent."""
    with teller.ledger.transaction() as tx:
        park(tx, clock.now(), 1)
    assert len(teller.tell()) == 1
    return teller


def states(teller):
    return [(row.state, row.attempts, row.status) for row in teller.sendings()]


def test_a_notice_is_sent_once_signed_as_the_standard_says(waiting, clock):
    receiver = Receiver()
    sends = sender(waiting, receiver)
    assert sends.send_next()
    assert not sends.send_next()
    ((headers, body),) = receiver.came
    said = json.loads(body)
    assert said.keys() == {"type", "timestamp", "data"}
    assert (said["type"], said["data"]["connection"]) == ("work.parked", "L")
    assert said["timestamp"] == clock.now().isoformat().replace("+00:00", "Z")
    # Counted out by hand, as any receiver may.
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    code = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{code}"
    assert headers["webhook-id"].startswith("msg_")
    assert "." not in headers["webhook-id"]
    assert states(waiting) == [("delivered", 1, 200)]


def test_while_secrets_are_changed_each_signs(embedded, clock):
    embedded.scope = scope(endpoint(secrets=(OTHER, SECRET)))
    with embedded.ledger.transaction() as tx:
        park(tx, clock.now(), 1)
    embedded.tell()
    receiver = Receiver()
    sender(embedded, receiver).send_next()
    ((headers, body),) = receiver.came
    for known in (SECRET, OTHER):
        webhook = Webhook(scheme="standard-webhooks", secrets=(Secret(known),))
        verify(webhook, headers, body, clock.now())
        with pytest.raises(BadSignature):
            verify(webhook, headers, body + b" ", clock.now())


def test_it_is_tried_for_three_days_with_one_id_and_then_given_up(waiting, clock):
    receiver, began = Receiver([500] * 20), clock.now()
    sends = sender(waiting, receiver)
    waits = []
    while waiting.sendings()[0].state == "waiting":
        assert sends.send_next()
        assert not sends.send_next()
        before, due = clock.now(), waiting.sendings()[0].due_at
        waits.append(due - before)
        clock.time = max(due, before)
    assert states(waiting) == [("failed", 10, 500)]
    assert len({headers["webhook-id"] for headers, _ in receiver.came}) == 1
    assert len({body for _, body in receiver.came}) == 1
    assert len({headers["webhook-timestamp"] for headers, _ in receiver.came}) == 10
    assert timedelta(days=2.8) < clock.now() - began < timedelta(days=3.6)
    for wait, usual in zip(waits, RETRIES, strict=False):
        assert abs(wait - usual) <= usual / 10
    clock.advance(timedelta(days=9).total_seconds())
    assert not sends.send_next()


def test_an_endpoint_that_is_gone_gets_nothing_until_somebody_says_so(waiting, clock):
    receiver = Receiver([410])
    sends = sender(waiting, receiver)
    sends.send_next()
    assert states(waiting) == [("failed", 1, 410)]
    clock.advance(600)
    with waiting.ledger.transaction() as tx:
        park(tx, clock.now(), 2)
    waiting.tell()
    assert not sends.send_next()
    assert len(receiver.came) == 1
    with waiting.ledger.transaction() as tx:
        assert notice_outbox.endpoints(tx)["ops"].gone_at is not None
        failed = notice_outbox.failed_ids(tx, "ops", None, 10)
        assert notice_outbox.send_again(tx, "ops", failed, clock.now()) == 1
    assert sends.send_next()
    assert sends.send_next()
    assert states(waiting) == [("delivered", 1, 200)] * 2
    ids = [headers["webhook-id"] for headers, _ in receiver.came]
    assert ids[0] in ids[1:]
    assert len(set(ids)) == 2


def test_another_address_of_a_gone_endpoint_is_tried(waiting, clock):
    sender(waiting, Receiver([410])).send_next()
    waiting.scope = scope(endpoint(url="https://elsewhere.example.com/"))
    clock.advance(600)
    with waiting.ledger.transaction() as tx:
        park(tx, clock.now(), 2)
    assert len(waiting.tell()) == 1
    assert sender(waiting, Receiver()).send_next()


def test_who_dies_over_a_call_has_it_made_again_with_the_same_id(waiting, clock):
    receiver = Receiver([KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        sender(waiting, receiver).send_next()
    other = sender(waiting, receiver, owner="clock-2")
    assert not other.send_next()  # it may be under way
    clock.advance(61)
    assert other.send_next()
    assert len({headers["webhook-id"] for headers, _ in receiver.came}) == 1
    assert states(waiting) == [("delivered", 1, 200)]


def test_who_comes_back_after_its_claim_ran_out_changes_nothing(waiting, clock):
    late = sender(waiting, Receiver())

    class Slow:
        def post(self, *_what):
            clock.advance(61)
            assert sender(waiting, Receiver(), owner="clock-2").send_next()
            return NoticeAnswer(500, "answered 500")

    late._caller = Slow()
    assert late.send_next()
    assert states(waiting) == [("delivered", 1, 200)]
    with waiting.ledger.read() as tx:
        assert notice_outbox.endpoints(tx)["ops"].failures == 0


def test_two_clocks_send_each_notice_once(teller, clock):
    with teller.ledger.transaction() as tx:
        for number, cause in enumerate(["Refused", "NotFound", "defect", "Lacking", "retired"]):
            park(tx, clock.now(), number, cause=cause)
    count = len(teller.tell())
    receiver = Receiver()

    def send(owner):
        sends = sender(teller, receiver, owner)
        while sends.send_next() or any(row.state == "waiting" for row in teller.sendings()):
            pass

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(send, ("a", "b", "c")))
    ids = [headers["webhook-id"] for headers, _ in receiver.came]
    assert len(ids) == len(set(ids)) == count


def test_an_endpoint_that_hangs_delays_no_other(embedded, clock, monkeypatch):
    embedded.scope = scope(endpoint("hangs"), endpoint("well"))
    with embedded.ledger.transaction() as tx:
        park(tx, clock.now(), 1)
    embedded.tell()
    hangs, arrived, stop = threading.Event(), threading.Event(), threading.Event()

    class Caller:
        def __init__(self, url):
            self.url = url

        def post(self, _body, _headers):
            if "hangs" in self.url:
                hangs.wait(60)
            else:
                arrived.set()
            return NoticeAnswer(200, "")

    embedded.scope = scope(
        endpoint("hangs", url="https://hangs.example.com"),
        endpoint("well", url="https://well.example.com"),
    )
    monkeypatch.setattr(sending, "NoticeCaller", Caller)
    threads = sending.begin_sending(
        embedded.scope.endpoints.values(), embedded.ledger, clock, "clock-1", stop
    )
    assert arrived.wait(60)
    assert embedded.sendings("hangs")[0].state == "waiting"
    hangs.set()
    stop.set()
    for thread in threads:
        thread.join(60)
    assert embedded.sendings("hangs")[0].state == "delivered"


def test_a_sender_outlives_an_outage_and_a_defect(waiting, clock, monkeypatch, caplog):
    stop, receiver = threading.Event(), Receiver([RuntimeError("ours")])
    sends: NoticeSender = sender(waiting, receiver)
    monkeypatch.setattr(sending, "LOOK_SECONDS", 0.0)
    looks = iter([None, None, stop.set, None])

    def look_on(_timeout=None):
        clock.advance(61)
        if (act := next(looks)) is not None:
            act()
        return stop.is_set()

    monkeypatch.setattr(stop, "wait", look_on)
    with caplog.at_level(logging.ERROR):
        sends.run(stop)
    assert "sending notices to ops failed, and goes on" in caplog.text
    assert states(waiting) == [("delivered", 1, 200)]


def test_no_line_of_the_log_tells_an_address_or_a_secret(waiting, caplog):
    with caplog.at_level(logging.INFO):
        sender(waiting, Receiver([500])).send_next()
    (line,) = caplog.records
    assert (line.endpoint, line.status, line.code) == ("ops", 500, "BRG-NOTICE-FAILING")
    assert "hooks.example.com" not in str(vars(line))
    assert SECRET not in str(vars(line))


def test_a_teller_and_a_sender_share_nothing_but_the_ledger(waiting, clock):
    other = Teller(waiting.ledger, clock)
    assert sender(other, Receiver()).send_next()
    assert waiting.tell() == []
