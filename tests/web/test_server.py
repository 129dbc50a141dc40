"""The receiver as it runs: granian in a process, a real ledger and Redis, and attackers."""

import contextlib
import http.client
import json
import socket
import subprocess
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge.errors import ConfigError
from bridge.web.serve import check_port
from tests.web.receiver import EVENT, connections, rows, signed
from tests.web.server import LIMIT, TIMEOUT_SECONDS, Server, ids

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def server(tmp_path_factory, redis):
    found = Server(tmp_path_factory.mktemp("home"), redis)
    yield found
    found.kill()
    found.ledger.close()


def head(*lines, path="/webhooks/helpdesk", method="POST"):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode()


def headers_of(raw):
    return [
        f"{name}: {value}"
        for name, value in signed(connections(), "helpdesk", raw, datetime.now(UTC)).items()
    ]


def chunked(raw, size=7):
    parts = [raw[at : at + size] for at in range(0, len(raw), size)]
    return b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts) + b"0\r\n\r\n"


def test_a_signed_hint_is_accepted_and_rings(server, redis):
    from redis import Redis

    with Redis.from_url(redis.url) as client:
        client.flushall()
        status, answer = server.hint("ring")
        assert (status, json.loads(answer)["status"]) == (202, "accepted")
        until = time.monotonic() + TIMEOUT_SECONDS
        while not client.llen("rq:queue:live") and time.monotonic() < until:
            time.sleep(0.02)
        assert client.llen("rq:queue:live") == 1
    assert "tring" in ids(server.ledger)


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "//webhooks/helpdesk"), ("post", "/webhooks/helpdesk")]
)
def test_a_webhook_in_an_unusual_spelling_waits_for_its_commit_beside_the_loop(
    server, method, path
):
    raw = json.dumps({"entity": "ticket", "id": f"{method}{path}"}).encode()
    headers = signed(connections(), "helpdesk", raw, datetime.now(UTC), f"{method}{path}")
    assert server.ask(method, path, raw, headers)[0] == 202  # 503, had it held up the loop


@pytest.mark.parametrize("path", ["/healthz", "/webhooks/helpdesk", "/nowhere"])
def test_no_answer_names_the_software_that_gave_it(server, path):
    answer = server.raw(head("Connection: close", path=path, method="GET")).lower()
    assert answer.startswith(b"http/1.1 ")
    assert b"granian" not in answer
    assert b"flask" not in answer
    assert b"werkzeug" not in answer


def test_a_chunked_body_is_taken(server):
    raw = json.dumps({"entity": "ticket", "id": "chunked"}).encode()
    answer = server.raw(
        head("Transfer-Encoding: chunked", "Connection: close", *headers_of(raw)), chunked(raw)
    )
    assert answer.startswith(b"HTTP/1.1 202")
    assert "chunked" in ids(server.ledger)


def test_a_chunked_body_over_the_limit_is_refused_before_it_ends(server):
    raw = b"x" * LIMIT + b"y"
    endless = (
        head("Transfer-Encoding: chunked", *headers_of(raw)),
        chunked(raw, 4096)[:-5],
    )  # no last chunk
    assert server.raw(*endless).startswith(b"HTTP/1.1 413")


def test_an_endless_body_does_not_fill_the_memory(server):
    def memory():
        pids = subprocess.run(
            ["pgrep", "-g", str(server.process.pid)], capture_output=True, text=True, check=True
        )
        status = [Path(f"/proc/{pid}/status").read_text() for pid in pids.stdout.split()]
        return sum(
            int(text.partition("VmRSS:")[2].split()[0]) for text in status if "VmRSS:" in text
        )

    if not Path("/proc/self/status").exists():
        pytest.skip("needs /proc")
    before = memory()
    block = f"{1 << 20:x}\r\n".encode() + b"z" * (1 << 20) + b"\r\n"
    server.raw(head("Transfer-Encoding: chunked", "Content-Type: application/json"), *[block] * 200)
    assert memory() - before < 100 * 1024
    assert server.hint("after-endless")[0] == 202


def test_hundreds_of_silent_connections_keep_no_webhook_waiting(server):
    with contextlib.ExitStack() as held:
        silent = [
            held.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            for _ in range(700)
        ]
        assert server.hint("beside-silent-ones")[0] == 202
        # Nothing had to be closed before: the webhook did not wait for a place.
        silent[0].setblocking(False)
        with pytest.raises(BlockingIOError):
            silent[0].recv(1)


def test_long_bodies_together_are_bounded_and_a_webhook_is_taken_beside_them(server):
    """Of five that do not end, four fit; the fifth is told to come again."""
    length = 60 * 1024
    raw = json.dumps({"entity": "ticket", "id": "long", "x": "y" * length}).encode()
    begun = head("Content-Type: application/json", f"Content-Length: {length}") + b"z" * (
        length - 1
    )
    with contextlib.ExitStack() as held:
        callers = [
            held.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            for _ in range(5)
        ]
        for caller in callers:
            caller.sendall(begun)
        assert server.hint("beside-long-ones")[0] == 202
        answers = [caller.recv(65536)[:12] for caller in callers]
    assert sorted(answers) == [b"HTTP/1.1 408"] * 4 + [b"HTTP/1.1 503"]
    taken = server.raw(head(f"Content-Length: {len(raw)}", *headers_of(raw)) + raw)
    assert taken.startswith(b"HTTP/1.1 202")


def test_a_declared_length_over_the_limit_is_refused_unread(server):
    answer = server.raw(head("Content-Type: application/json", "Content-Length: 99999999999"))
    assert answer.startswith(b"HTTP/1.1 413")


def test_a_body_that_stops_early_changes_nothing(server):
    before = ids(server.ledger)
    raw = b'{"entity": "ticket", "id": "half"}'
    with socket.create_connection(("127.0.0.1", server.port)) as caller:
        caller.sendall(head(f"Content-Length: {len(raw)}", *headers_of(raw)) + raw[:10])
    assert server.hint("after-half")[0] == 202
    assert ids(server.ledger) - before == {"tafter-half"}


HOSTILE = {
    "nothing": b"\r\n\r\n",
    "not-http": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"A" * 200,
    "no-host": b"POST /webhooks/helpdesk HTTP/1.1\r\n\r\n",
    "two-lengths": head("Content-Length: 2", "Content-Length: 50") + b"{}",
    "length-and-chunks": head("Content-Length: 2", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "negative-length": head("Content-Length: -1") + b"{}",
    "wrong-chunk": head("Transfer-Encoding: chunked", "Content-Type: application/json")
    + b"zz\r\n{}\r\n",
    "huge-chunk": head("Transfer-Encoding: chunked", "Content-Type: application/json")
    + b"ffffffffffffffff1\r\n",
    "long-header": head("X-Long: " + "a" * 1_000_000),
    "many-headers": head(*[f"X-{number}: 1" for number in range(5000)]),
    "split-header": head("X-Webhook-Signature: a\r\n b"),
    "nul-header": head("X-Webhook-Signature: a\0b", "Content-Length: 2") + b"{}",
    "latin-header": b"POST /webhooks/helpdesk HTTP/1.1\r\nHost: x\r\n"
    b"X-Webhook-Signature: \xff\xfe\r\n"
    b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    "empty-signature": head(
        "X-Webhook-Signature:", "Content-Type: application/json", "Content-Length: 2"
    )
    + b"{}",
    "up-the-tree": head("Content-Length: 0", path="/webhooks/../../etc/passwd"),
    "absolute": head("Content-Length: 0", path="http://evil.example/webhooks/helpdesk"),
    "strange-method": head("Content-Length: 0", method="FROBNICATE"),
    "trace": head("Content-Length: 0", method="TRACE"),
    "upgrade": head(
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: x",
    ),
    "http2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "template": head("Content-Length: 0", path="/webhooks/{{7*7}}"),
    "sql": head("Content-Length: 0", path="/webhooks/'%20or%201=1--"),
    "bad-utf8-path": head("Content-Length: 0", path="/webhooks/%ff%fe"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_requests_change_nothing_and_learn_nothing(server, name):
    before = rows(server.ledger, "inbox"), rows(server.ledger, "work")
    answer = server.raw(HOSTILE[name])
    assert answer[:10] not in {b"HTTP/1.1 2", b"HTTP/1.1 5"}
    assert b"Traceback" not in answer
    assert b"/work" not in answer
    assert (rows(server.ledger, "inbox"), rows(server.ledger, "work")) == before
    assert server.ask("GET", "/healthz")[0] == 200


def test_a_fault_of_ours_shows_no_detail(server):
    status, answer = server.ask("GET", "/explode")
    assert (status, json.loads(answer)) == (500, {"error": "Internal Server Error"})


@pytest.mark.parametrize(
    "beginning",
    [
        b"POST /webhooks/helpdesk HTTP/1.1\r\nHost: x\r\nContent-Le",
        head("Content-Type: application/json", "Content-Length: 100") + b"{",
        head("Content-Type: application/json", "Transfer-Encoding: chunked") + b"1\r\n{\r\n",
    ],
)
def test_slow_callers_do_not_keep_others_out(server, beginning):
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(60)]
    try:
        for caller in slow:
            caller.sendall(beginning)
        for number in range(20):
            assert server.hint(f"beside-slow-{number}")[0] in {200, 202}
    finally:
        for caller in slow:
            caller.close()


def test_a_body_that_does_not_arrive_is_not_awaited_for_ever(server):
    begun = head("Content-Type: application/json", "Content-Length: 100") + b"{"
    with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_SECONDS) as caller:
        caller.sendall(begun)
        answer = caller.recv(65536)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"granian" not in answer.lower()


def test_many_at_once_are_all_kept_and_share_commits(server):
    answers = []

    def send(start):
        caller = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_SECONDS)
        for number in range(start, start + 40):
            raw = json.dumps({"entity": "ticket", "id": f"many{number}"}).encode()
            given = signed(connections(), "helpdesk", raw, datetime.now(UTC))
            caller.request("POST", "/webhooks/helpdesk", raw, given)
            answer = caller.getresponse()
            answer.read()
            answers.append((f"many{number}", answer.status))
        caller.close()

    threads = [threading.Thread(target=send, args=(start,)) for start in range(0, 480, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {status for _, status in answers} == {202}
    assert {name for name, _ in answers} <= ids(server.ledger)
    assert len(answers) == 480


def test_a_taken_port_is_named_with_the_way_out(server):
    with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{server.port} .*--port"):
        check_port("127.0.0.1", server.port)


def test_the_generic_event_of_a_vendor_is_taken_too(server):
    raw = EVENT.encode()
    status, _ = server.ask(
        "POST", "/webhooks/desk", raw, signed(connections(), "desk", raw, datetime.now(UTC))
    )
    assert status == 202
