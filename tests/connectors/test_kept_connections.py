"""On a connection that is open a call is the same as on a new one: what is sent, what is read."""

from __future__ import annotations

import gzip
import socketserver
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.errors import RemoteError, Unavailable
from bridge.http.client import MAX_ERROR_BYTES, Http
from tests.connectors.bench import StillClock, connection

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
GREETING = b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"hello"'


class Vendor(socketserver.ThreadingTCPServer):
    """Greets whoever asks for /greet; else gives the answer that it was told, and hangs up."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Line)
        self.answer = b""
        self.hangs_up = True
        self.asked: list[bytes] = []
        self.connections = 0

    def handle_error(self, *_what):
        """Say nothing where a client hung up."""


class Line(socketserver.StreamRequestHandler):
    def handle(self):
        self.server.connections += 1
        while request := self.request.recv(65536):
            if request.startswith(b"GET /greet"):
                self.request.sendall(GREETING)
                continue
            self.server.asked.append(request)
            self.request.sendall(self.server.answer)
            if self.server.hangs_up:
                return


@pytest.fixture(scope="module")
def running():
    with Vendor() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def vendor(running):
    running.asked.clear()
    running.connections, running.hangs_up = 0, True
    return running


def client(vendor):
    url = f"http://127.0.0.1:{vendor.server_address[1]}/api"
    return Http(replace(connection("switch"), base_url=url), clock=StillClock(NOW))


def greet(http):
    assert http.request("GET", "/../greet", write=False, auth=None).body == "hello"


def outcome(vendor, *, kept, method="GET", **asked):
    http = client(vendor)
    if kept:
        greet(http)
    try:
        answer = http.request(method, "/x", write=method != "GET", auth=None, **asked)
        return answer.status, dict(answer.headers), answer.body
    except RemoteError as error:
        return type(error), str(error), error.status, getattr(error, "retry_after", 0)
    finally:
        http.close()


FIRST_LINES = st.sampled_from(
    [b"HTTP/1.1 %s" % rest for rest in (b"200 OK", b"200", b"201 ", b"200 Tr\xe8s bien")]
    + [b"HTTP/1.1 %s" % rest for rest in (b"204 No Content", b"304 Not Modified", b"404 No")]
    + [b"HTTP/1.1 %s" % rest for rest in (b"429 Slow", b"500 Oh\tno", b"302 Found", b"999 Why")]
    + [b"HTTP/1.0 200 OK", b"HTTP/1.1  200 OK", b"HTTP/2 200", b"HTTP/1.1 20 OK", b"ICY 200 OK"]
    + [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK", b"HTTP/1.1 103 Hints", b"", b"<html>"]
)
HEADER_LINES = st.sampled_from(
    [b"X-Request-Id: req-7", b"Date: Mon, 23 Nov 2026 12:00:10 GMT", b"Retry-After: 7", b"X:"]
    + [b"X-A:\t b \t", b"X-A: c", b"x-a: d", b"Set-Cookie: a=b", b"Set-Cookie: c=d", b"X : a"]
    + [b" folded: a", b"\tfolded", b"no colon", b": no name", b"X-\xe9: a", b"X-U: caf\xe9", b"\r"]
    + [b"X-C: a\x00b", b"X-C: a\x0bb", b"X-C: a\rb", b"X-C: a\x85b", b"X-Bare: a\nX-Line: b"]
    + [b"Connection: close", b"Connection: Keep-Alive", b"Connection: x", b"Location: /elsewhere"]
    + [b"Content-Length: %s" % size for size in (b"2", b"2 ", b"02", b"+2", b"-1", b"1", b"3")]
    + [b"Content-Length: %s" % size for size in (b"0", b"2, 2", b"2_0", b"", b"99999999999")]
    + [b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", b"Content-Encoding: gzip"]
    + [b"Content-Encoding: identity", b"Content-Type: application/json; charset=latin-1"]
)
BODIES = st.sampled_from(
    [
        b"{}",
        b"",
        b"{}{}",
        b"[]",
        b"2\r\n{}\r\n0\r\n\r\n",
        gzip.compress(b"{}", mtime=0),
        b"<p>",
        b"\xff",
    ]
)


GZIPPED = gzip.compress(b"{}", mtime=0)


@settings(max_examples=60, deadline=None)
@given(
    first=FIRST_LINES,
    lines=st.lists(HEADER_LINES | st.binary(max_size=12), max_size=5),
    sized=st.booleans(),
    body=BODIES,
)
@example(first=b"HTTP/1.1 200 OK", lines=[b"Content-Length: 3"], sized=False, body=b"{}")
@example(first=b"HTTP/1.1 200 OK", lines=[b"X: a", b"x: b"], sized=True, body=b"{}")
@example(first=b"HTTP/1.1 200 OK", lines=[b"X: a", b" b"], sized=True, body=b"{}")
@example(first=b"HTTP/1.1 200 OK", lines=[b"Content-Encoding: gzip"], sized=True, body=GZIPPED)
@example(
    first=b"HTTP/1.1 200 OK",
    lines=[b"Transfer-Encoding: chunked"],
    sized=True,
    body=b"2\r\n{}\r\n0\r\n\r\n",
)
@example(first=b"HTTP/1.1 204 No", lines=[], sized=True, body=b"{}")
@example(first=b"HTTP/1.1 200 OK", lines=[b"X-%d: a" % n for n in range(99)], sized=True, body=b"1")
@example(first=b"HTTP/1.1 200 OK", lines=[], sized=True, body=b"")
def test_an_answer_reads_the_same_however_odd(running, first, lines, sized, body):
    if sized:
        lines = [*lines, b"Content-Length: %d" % len(body)]
    running.answer = b"\r\n".join([first, *lines, b"", body])
    for method in ("GET", "PATCH"):
        new = outcome(running, kept=False, method=method)
        assert outcome(running, kept=True, method=method) == new


@pytest.mark.parametrize(
    ("method", "asked"),
    [
        ("GET", {"params": {"a": "b c"}}),
        ("PATCH", {"json": {"subject": "caf\u00e9"}}),
        ("DELETE", {}),
        ("POST", {}),
    ],
)
def test_what_is_sent_is_the_same_to_the_byte(vendor, method, asked):
    vendor.answer = GREETING
    outcomes = [outcome(vendor, kept=kept, method=method, **asked) for kept in (False, True)]
    assert outcomes[0] == outcomes[1] == (200, {"content-length": "7"}, "hello")
    new, kept = vendor.asked
    # A new connection may send its head by itself.
    assert kept.startswith(new)
    assert kept.partition(b"\r\n\r\n")[0] == new.partition(b"\r\n\r\n")[0]


def test_connections_are_kept_and_each_call_has_its_own_answer(vendor):
    http = client(vendor)
    vendor.hangs_up = False
    for number in range(5):
        greet(http)
        body = b"%d" % number
        vendor.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        assert http.request("GET", "/x", write=False, auth=None).body == number
    assert vendor.connections == 1
    http.close()


@pytest.mark.parametrize("size", [10, 9000, 70_000, 3_000_000])
def test_a_body_of_any_length_is_read_whole(vendor, size):
    body = b'"' + b"a" * size + b'"'
    vendor.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    assert outcome(vendor, kept=True)[2] == "a" * size


def test_what_was_left_unread_of_an_error_is_not_the_next_answer(vendor):
    http = client(vendor)
    vendor.hangs_up = False
    body = GREETING.replace(b"hello", b"other") * (2 * MAX_ERROR_BYTES // len(GREETING))
    vendor.answer = b"HTTP/1.1 500 No\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    greet(http)
    with pytest.raises(Unavailable, match="answered 500"):
        http.request("GET", "/x", write=False, auth=None)
    greet(http)
    assert vendor.connections == 2
    http.close()


def test_a_connection_that_the_vendor_has_closed_is_opened_again(vendor):
    http = client(vendor)
    vendor.answer = GREETING
    for _ in range(3):
        assert http.request("POST", "/x", write=True, auth=None).body == "hello"
        threading.Event().wait(0.05)
    assert vendor.connections == 3
    http.close()
