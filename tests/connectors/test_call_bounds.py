"""One deadline and one limit of bytes for the whole of a call, on real sockets that drip."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bridge.errors import NotSent, Refused, RemoteError, Unavailable, UnknownOutcome
from bridge.http import bounded_sockets
from bridge.http.call_bounds import (
    MAX_ANSWER_BYTES,
    MAX_HEAD_BYTES,
    CallBounds,
    TooMuch,
    kept,
    running,
)
from bridge.http.client import Http
from tests.connectors.bench import StillClock, connection

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DEADLINE = 0.3
"""Seconds; each answer below drips for at least six times as long, and then ends well."""
DRIP = 0.05
OK = b"HTTP/1.1 200 OK\r\n"
BODY = b"Content-Length: 2\r\n\r\n{}"
TRAILERS = b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"


class DrippingVendor:
    """Answers each request with the same pieces, pausing after each, for as long as it is open.

    `greets`: but for the first of each connection, which is answered at once.
    """

    def __init__(self, pieces: list[bytes], pause: float, *, greets: bool = False) -> None:
        self._greets = greets
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._pieces, self._pause = pieces, pause
        self._closed = threading.Event()
        self.accepted = 0
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            self._threads.append(threading.Thread(target=self._serve, args=(peer,)))
            self._threads[-1].start()

    def _serve(self, peer: socket.socket) -> None:
        with peer:
            try:
                if self._greets and peer.recv(65536):
                    peer.sendall(OK + BODY)
                while self._pieces and peer.recv(65536):
                    for piece in self._pieces:
                        peer.sendall(piece)
                        if self._closed.wait(self._pause):
                            return
                self._closed.wait()
            except OSError:
                return

    def close(self) -> None:
        self._closed.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)


@contextmanager
def vendor_of(
    pieces: list[bytes],
    *,
    pause: float = 0.0,
    scheme: str = "http",
    timeout: float = 10,
    kept: bool = False,
) -> Iterator[tuple[Http, DrippingVendor]]:
    """Give a client and its vendor. `kept`: they are connected, which calls in another way."""
    vendor = DrippingVendor(pieces, pause, greets=kept)
    base_url = f"{scheme}://{vendor.address}"
    http = Http(
        replace(connection("switch"), base_url=base_url, timeout=timeout), clock=StillClock(NOW)
    )
    try:
        if kept:
            http.request("GET", "/x", write=False, auth=None)
        yield http, vendor
    finally:
        http.close()
        vendor.close()


@contextmanager
def connected_to(pieces: list[bytes], *, pause: float = 0.0) -> Iterator[Http]:
    """Give a client that is connected: a call that is late was sent, however slow the machine."""
    vendor = DrippingVendor(pieces, pause, greets=True)
    http = Http(
        replace(connection("switch"), base_url=f"http://{vendor.address}"), clock=StillClock(NOW)
    )
    try:
        http.request("GET", "/x", write=False, auth=None)
        http.connection = replace(http.connection, timeout=DEADLINE)
        yield http
    finally:
        http.close()
        vendor.close()


def drops(text: bytes, count: int = 40) -> list[bytes]:
    """Divide a text, so that it takes at least `count` pieces."""
    size = max(1, len(text) // count)
    return [text[start : start + size] for start in range(0, len(text), size)]


DRIPPING = {
    "status line": [*drops(b"HTTP/1.1 200 " + b"O" * 40 + b"\r\n"), BODY],
    "header lines": [OK, *[b"X-%d: a\r\n" % number for number in range(40)], BODY],
    "one header line": [OK, b"X: ", *[b"a"] * 40, b"\r\n" + BODY],
    "1xx answers": [*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 40, OK, BODY],
    "body": [OK, b"Content-Length: 42\r\n\r\n", *[b" "] * 40, b"{}"],
    "chunk size": [
        OK,
        b"Transfer-Encoding: chunked\r\n\r\n",
        *[b"0"] * 40,
        b"2\r\n{}\r\n0\r\n\r\n",
    ],
    "trailers": [OK, TRAILERS, *[b"X: a\r\n"] * 40, b"\r\n"],
    "nothing": [b"", *[b""] * 40],
}


@pytest.mark.parametrize("part", DRIPPING)
def test_a_part_that_drips_ends_with_the_call(part):
    with (
        connected_to(DRIPPING[part], pause=DRIP) as http,
        pytest.raises(UnknownOutcome, match=r"within 0\.3 s"),
    ):
        http.request("POST", "/x", json={}, write=True, auth=None)


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("part", DRIPPING)
def test_the_same_parts_are_answers_while_there_is_time(part, kept):
    if part == "nothing":
        return
    with vendor_of([b"".join(DRIPPING[part])], kept=kept) as (http, _):
        assert http.request("GET", "/x", write=False, auth=None).body == {}


def test_a_greeting_of_tls_that_never_comes_ends_with_the_call():
    with (
        vendor_of([], scheme="https", timeout=DEADLINE) as (http, _),
        pytest.raises(NotSent, match=r"within 0\.3 s"),
    ):
        http.request("POST", "/x", json={}, write=True, auth=None)


def test_a_request_that_nobody_reads_ends_with_the_call():
    with (
        connected_to([]) as http,
        pytest.raises(UnknownOutcome, match=r"within 0\.3 s"),
    ):
        http.request("POST", "/x", json={"text": "a" * 20_000_000}, write=True, auth=None)


def test_a_name_that_is_looked_up_for_ever_ends_with_the_call(monkeypatch):
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_asked, **_more: answered.wait(60) and [])
    http = Http(connection("switch", timeout=DEADLINE), clock=StillClock(NOW))
    with pytest.raises(NotSent, match=r"within 0\.3 s"):
        http.request("POST", "/x", json={}, write=True, auth=None)
    answered.set()
    http.close()


def test_a_silent_address_leaves_the_next_one_its_share(monkeypatch):
    with vendor_of([OK + BODY]) as (http, vendor):
        port = int(vendor.address.rpartition(":")[2])
        # The backlog of the first one is full, so that it never answers.
        with socket.create_server(("127.0.0.2", 0), backlog=0) as silent:
            full = [socket.socket() for _ in range(3)]
            for each in full:
                each.setblocking(False)
                each.connect_ex(silent.getsockname())
            found = [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", address)
                for address in (silent.getsockname(), ("127.0.0.1", port))
            ]
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_asked, **_more: found)
            http.connection = replace(http.connection, timeout=6.0)
            assert http.request("GET", "/x", write=False, auth=None).body == {}
            for each in full:
                each.close()


def test_a_kept_connection_has_the_time_of_the_call_that_uses_it():
    with vendor_of([OK + BODY], timeout=2.0) as (http, vendor):
        assert http.request("GET", "/x", write=False, auth=None).body == {}
        threading.Event().wait(2.5)
        assert http.request("GET", "/x", write=False, auth=None).body == {}
        assert vendor.accepted == 1


ENDLESS = {
    "header lines": [OK] + [b"X: " + b"a" * 1000 + b"\r\n"] * 90 + [BODY],
    "1xx answers": [b"HTTP/1.1 100 Continue\r\n\r\n"] * (MAX_HEAD_BYTES // 20) + [OK, BODY],
    "headers of a 1xx": [b"HTTP/1.1 100 Continue\r\n" + b"X: a\r\n" * 90 + b"\r\n"] * 200
    + [OK, BODY],
    "trailers": [OK, TRAILERS] + [b"X: " + b"a" * 60_000 + b"\r\n"] * 300 + [b"\r\n"],
}


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("part", ENDLESS)
def test_a_part_without_an_end_is_cut_off_by_its_size(part, kept):
    with (
        vendor_of([b"".join(ENDLESS[part])], kept=kept) as (http, _),
        pytest.raises(Unavailable, match=r"answer's (head|body) is larger than it may be"),
    ):
        http.request("GET", "/x", write=False, auth=None)


def test_an_answer_that_comes_after_early_hints_is_not_that_of_the_next_call():
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    came = []

    def answer(peer: socket.socket, words: bytes) -> None:
        peer.sendall(OK + b"Content-Length: %d\r\n\r\n" % len(words) + words)

    def serve(listener: socket.socket) -> None:
        with listener.accept()[0] as peer:
            peer.recv(65536)
            peer.sendall(hints)
            came.append(peer.recv(65536))
            if came[0]:  # the next call
                answer(peer, b'"first"')
                return
        with listener.accept()[0] as peer:
            peer.recv(65536)
            answer(peer, b'"second"')

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        http = Http(replace(connection("switch"), base_url=url), clock=StillClock(NOW))
        with pytest.raises(Unavailable, match="answered 103"):
            http.request("GET", "/1", write=False, auth=None)
        assert http.request("GET", "/2", write=False, auth=None).body == "second"
        http.close()
        thread.join()
    assert came == [b""]


@pytest.mark.parametrize("kept", [False, True])
def test_too_many_header_lines_are_refused(kept):
    with (
        vendor_of([OK + b"X: a\r\n" * 200 + BODY], kept=kept) as (http, _),
        pytest.raises(RemoteError, match="the connection failed"),
    ):
        http.request("GET", "/x", write=False, auth=None)


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("times", [1, 2])
def test_no_more_of_a_bomb_is_inflated_than_may_be_kept(times, kept):
    body = b" " * (10 * MAX_ANSWER_BYTES)
    for _ in range(times):
        body = gzip.compress(body)
    encoding = ", ".join(["gzip"] * times).encode()
    head = b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (encoding, len(body))
    with vendor_of([OK + head + body], kept=kept) as (http, _):
        tracemalloc.start()
        with pytest.raises(Unavailable, match="larger than"):
            http.request("GET", "/x", write=False, auth=None)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 2 * MAX_ANSWER_BYTES


def test_each_wait_is_told_what_is_left_of_the_call():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        bounds = CallBounds(60)
        bounds.arm(ours)
        first = ours.gettimeout()
        bounds.arm(ours)
        assert 0 < ours.gettimeout() <= first <= 60
        with pytest.raises(TimeoutError, match="within -1 s"):
            CallBounds(-1).arm(ours)


OPERATIONS = {
    "plain read": lambda plain, _tls: plain.recv_into(bytearray(1)),
    "plain write": lambda plain, _tls: plain.sendall(b"x"),
    "TLS greeting": lambda _plain, tls: tls.do_handshake(),
    "TLS read": lambda _plain, tls: tls.recv_into(bytearray(1)),
    "TLS write": lambda _plain, tls: tls.send(b"x"),
    "look-up of a name": lambda _plain, _tls: bounded_sockets._looked_up("127.0.0.1", 1),
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
def test_each_operation_of_a_call_that_is_over_ends_at_once(operation):
    ours, theirs = socket.socketpair()
    context = ssl.create_default_context()
    context.sslsocket_class = bounded_sockets._BoundedTlsSocket
    with theirs, bounded_sockets._BoundedSocket(fileno=ours.detach()) as plain:
        plain.setblocking(False)
        theirs.sendall(b"it could be read")
        copy = bounded_sockets._BoundedSocket(fileno=plain.dup().detach())
        with (
            context.wrap_socket(
                copy, server_hostname="localhost", do_handshake_on_connect=False
            ) as tls,
            kept(CallBounds(-1)),
            pytest.raises(TimeoutError, match="within -1 s"),
        ):
            operation(plain, tls)


def test_bounds_are_those_of_the_thread_that_calls():
    bounds = CallBounds(60)
    seen: list[str] = []

    def elsewhere() -> None:
        try:
            running()
        except RuntimeError as error:
            seen.append(str(error))

    with kept(bounds):
        assert running() is bounds
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert len(seen) == 1


def test_the_body_has_a_limit_of_its_own():
    bounds = CallBounds(60)
    assert bounds.count(MAX_HEAD_BYTES) == MAX_HEAD_BYTES
    with pytest.raises(TooMuch, match="head"):
        bounds.count(1)
    bounds.begin_body()
    bounds.count(MAX_ANSWER_BYTES + MAX_HEAD_BYTES)
    with pytest.raises(TooMuch, match="body"):
        bounds.count(1)


REDIRECTS = {
    "of two brackets": b"http://[::1",
    "no text": b"http://\xff\xfe/",
    "empty": b"",
    "endless": b"http://" + b"a" * 40_000 + b".example/",
    "elsewhere": b"https://elsewhere.example/?k=1",
    "the same": b"/x",
}


@pytest.mark.parametrize("place", REDIRECTS)
@pytest.mark.parametrize("write", [False, True])
def test_a_redirect_is_never_followed_and_its_body_is_read_no_further_than_an_errors(place, write):
    bomb = gzip.compress(b" " * 40_000_000)
    head = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n" % len(bomb)
    answer = b"HTTP/1.1 302 Found\r\nLocation: " + REDIRECTS[place] + b"\r\n" + head + b"\r\n"
    with vendor_of([answer + bomb]) as (http, vendor):
        with pytest.raises(
            Refused, match=r"answered 302, a redirect to .*; correct base_url"
        ) as no:
            http.request("POST" if write else "GET", "/x", write=write, auth=None)
        assert vendor.accepted == 1
    assert len(str(no.value)) < 1000
    str(no.value).encode()
