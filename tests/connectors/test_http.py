"""The HTTP client on a stubbed transport, and on a real socket where only one can misbehave."""

from __future__ import annotations

import gzip
import http.client as http_client
import re
import socket
import ssl
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import pytest
import requests
import responses
import urllib3
from requests.adapters import HTTPAdapter

from bridge.errors import (
    AlreadyExists,
    NotFound,
    NotSent,
    RateLimited,
    Refused,
    RemoteError,
    Unauthorised,
    Unavailable,
    UnknownOutcome,
)
from bridge.http.call_bounds import LARGE_ANSWER_BYTES, MAX_ANSWER_BYTES, MAX_ANSWER_SIGNS
from bridge.http.client import MAX_RETRY_AFTER, Http, parsing_large
from tests.connectors.bench import KEY, StillClock, connection

BASE = "https://desk.example/api/v1"
NOW = datetime(2026, 11, 23, 12, 0, 0, 250_000, tzinfo=UTC)


def auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    request.headers["Authorization"] = f"Bearer {KEY}"
    return request


@pytest.fixture
def http():
    made = Http(replace(connection("switch"), base_url=BASE), clock=StillClock(NOW))
    yield made
    made.close()


@pytest.fixture
def vendor():
    with responses.RequestsMock() as stub:
        yield stub


def test_sends_json_and_auth_and_gives_the_body(http, vendor):
    vendor.post(
        f"{BASE}/tickets", json={"data": {"id": "t1"}}, status=201, headers={"X-Thing": "a"}
    )
    answer = http.request(
        "POST", "/tickets", params={"a": "ü"}, json={"tags": ("x",)}, write=True, auth=auth
    )
    sent = vendor.calls[0].request
    assert (answer.status, answer.body, answer.headers["x-thing"]) == (
        201,
        {"data": {"id": "t1"}},
        "a",
    )
    assert (sent.body, sent.headers["Content-Type"]) == (b'{"tags":["x"]}', "application/json")
    assert sent.headers["Authorization"] == f"Bearer {KEY}"
    assert sent.url == f"{BASE}/tickets?a=%C3%BC"
    assert answer.sent_at == NOW


def test_an_empty_answer_is_no_error(http, vendor):
    vendor.delete(f"{BASE}/tickets/1", status=204)
    assert http.request("DELETE", "/tickets/1", write=True, auth=auth).body is None


@pytest.mark.parametrize(
    ("status", "read", "write"),
    [
        (301, Refused, Refused),
        (400, Refused, Refused),
        (401, Unauthorised, Unauthorised),
        (402, Unauthorised, Unauthorised),
        (403, Unauthorised, Unauthorised),
        (404, NotFound, NotFound),
        (405, Refused, Refused),
        (408, Unavailable, UnknownOutcome),
        (409, AlreadyExists, AlreadyExists),
        (422, Refused, Refused),
        (429, RateLimited, RateLimited),
        (500, Unavailable, UnknownOutcome),
        (503, Unavailable, UnknownOutcome),
    ],
)
def test_each_status_has_its_error(http, vendor, status, read, write):
    headers = {"X-Request-Id": "req-7", "Location": "https://elsewhere.example/?k=1"}
    vendor.get(f"{BASE}/x", status=status, body=f"no, {KEY} of ann@example.com", headers=headers)
    vendor.post(f"{BASE}/x", status=status, body="no", headers=headers)
    with pytest.raises(RemoteError) as reading:
        http.request("GET", "/x", write=False, auth=auth)
    with pytest.raises(RemoteError) as writing:
        http.request("POST", "/x", json={}, write=True, auth=auth)
    assert (type(reading.value), type(writing.value)) == (read, write)
    assert (reading.value.status, reading.value.request_id) == (status, "req-7")
    assert "(request req-7)" in str(reading.value)
    assert KEY not in str(reading.value)
    assert "ann@" not in str(reading.value)
    assert len(vendor.calls) == 2


def test_a_connector_may_know_better(http, vendor):
    vendor.get(f"{BASE}/x", status=409)
    with pytest.raises(Refused):
        http.request("GET", "/x", write=False, auth=auth, errors={409: Refused})


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "80000"}, MAX_RETRY_AFTER),
        ({"Retry-After": "31536000"}, None),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Mon, 31 Dec 9999 23:59:59 GMT"}, None),
        ({"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        (
            {
                "Retry-After": "Mon, 23 Nov 2026 12:00:30 GMT",
                "Date": "Mon, 23 Nov 2026 12:00:10 GMT",
            },
            20.0,
        ),
        ({"Retry-After": "Mon, 23 Nov 2026 12:00:30 GMT"}, 29.75),
        ({"Retry-After": "Mon, 23 Nov 2026 11:00:00 GMT"}, 0.0),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(http, vendor, headers, seconds):
    vendor.get(f"{BASE}/x", status=429, headers=headers)
    with pytest.raises(RateLimited) as error:
        http.request("GET", "/x", write=False, auth=auth)
    assert error.value.retry_after == seconds


def test_nothing_is_sent_before_the_time_that_retry_after_named(http, vendor):
    """No call is made, whoever swallowed the 429 or was in the middle of several calls."""
    vendor.get(f"{BASE}/x", status=429, headers={"Retry-After": "7"})
    vendor.get(f"{BASE}/x", json={})
    with pytest.raises(RateLimited):
        http.request("GET", "/x", write=False, auth=auth)
    http._clock.sleep(6)
    with pytest.raises(RateLimited, match=r"no call for 1\.0 s more; nothing was sent") as early:
        http.request("POST", "/x", json={}, write=True, auth=auth)
    assert (early.value.retry_after, len(vendor.calls)) == (1.0, 1)
    http._clock.sleep(1)
    assert http.request("GET", "/x", write=False, auth=auth).status == 200


def _wrapped(cause: Exception) -> requests.ConnectionError:
    return requests.ConnectionError(urllib3.exceptions.MaxRetryError(None, "/", cause))


@pytest.mark.parametrize(
    ("failure", "write"),
    [
        (_wrapped(urllib3.exceptions.NewConnectionError(None, "refused")), NotSent),
        (
            _wrapped(urllib3.exceptions.NameResolutionError("h", None, OSError("no such name"))),
            NotSent,
        ),
        (requests.ConnectTimeout(), NotSent),
        (requests.ReadTimeout(), UnknownOutcome),
        (
            requests.ConnectionError(
                urllib3.exceptions.ProtocolError("x", ConnectionResetError(104, KEY))
            ),
            UnknownOutcome,
        ),
        (requests.exceptions.ChunkedEncodingError(), UnknownOutcome),
    ],
)
def test_a_failed_transport_says_whether_the_write_can_have_arrived(http, vendor, failure, write):
    vendor.get(f"{BASE}/x", body=failure)
    vendor.post(f"{BASE}/x", body=failure)
    with pytest.raises(Unavailable) as reading:
        http.request("GET", "/x", write=False, auth=auth)
    with pytest.raises(write) as writing:
        http.request("POST", "/x", json={}, write=True, auth=auth)
    assert writing.value.__cause__ is None
    assert KEY not in str(reading.value) + str(writing.value)


def _not_connected(cause):
    failed = urllib3.exceptions.NewConnectionError(None, "no connection")
    failed.__cause__ = cause
    return _wrapped(failed)


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (_not_connected(ConnectionRefusedError(111, "Connection refused")), "nobody answers"),
        (_not_connected(OSError(113, "No route to host")), "cannot be reached"),
        (_not_connected(socket.gaierror(-2, "unknown")), "name of the host is not known"),
        (requests.ConnectTimeout(), "no answer within"),
        (requests.ReadTimeout(), "no answer within"),
        (
            _wrapped(urllib3.exceptions.ProtocolError("x", ConnectionResetError(104, "y"))),
            "cut off",
        ),
        (requests.ConnectionError(http_client.RemoteDisconnected("z")), "without an answer"),
        (requests.exceptions.SSLError(ssl.SSLError(1, "wrong version number")), "TLS did not come"),
        (requests.ConnectionError(OSError(24, "Too many open files")), "cut off"),
    ],
)
def test_a_failed_transport_is_told_in_words(http, vendor, failure, said):
    vendor.get(f"{BASE}/x", body=failure)
    with pytest.raises(Unavailable) as raised:
        http.request("GET", "/x", write=False, auth=auth)
    assert said in str(raised.value)
    assert not re.search(r"Errno|Error|Exception|Disconnected|Timeout", str(raised.value))


@pytest.mark.parametrize("body", ["<html>", '{"a": ', "[" * 3000, b"\xff\xfe"])
def test_what_is_not_json_is_not_an_answer(http, vendor, body):
    vendor.get(f"{BASE}/x", body=body)
    vendor.post(f"{BASE}/x", body=body)
    with pytest.raises(Unavailable, match="answered 200 without JSON"):
        http.request("GET", "/x", write=False, auth=auth)
    with pytest.raises(UnknownOutcome):
        http.request("POST", "/x", json={}, write=True, auth=auth)


def test_a_huge_answer_is_cut_off_also_when_it_was_small_on_the_wire(http, vendor):
    bomb = gzip.compress(b" " * (MAX_ANSWER_BYTES + 1))
    vendor.get(f"{BASE}/x", body=b" " * (MAX_ANSWER_BYTES + 1))
    vendor.get(
        f"{BASE}/bomb",
        body=bomb,
        headers={"Content-Encoding": "gzip"},
        auto_calculate_content_length=True,
    )
    for path in ("/x", "/bomb"):
        with pytest.raises(Unavailable, match="larger than"):
            http.request("GET", path, write=False, auth=auth)


@pytest.mark.parametrize("part", [b"[],", b'{"a":1},', b"1,"])
def test_an_answer_of_too_many_values_is_refused_before_they_take_any_memory(http, vendor, part):
    body = b"[" + part * (MAX_ANSWER_SIGNS // sum(map(part.count, b",:[{")) + 1) + b"1]"
    assert len(body) <= MAX_ANSWER_BYTES
    vendor.get(f"{BASE}/x", body=body)
    vendor.post(f"{BASE}/x", body=body)
    tracemalloc.start()
    with pytest.raises(Unavailable, match="more values than it may"):
        http.request("GET", "/x", write=False, auth=auth)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * len(body)
    with pytest.raises(UnknownOutcome):
        http.request("POST", "/x", json={}, write=True, auth=auth)


def test_large_answers_are_parsed_one_at_a_time_and_hold_up_no_small_one(http, vendor):
    vendor.get(f"{BASE}/large", json=["a" * LARGE_ANSWER_BYTES])
    vendor.get(f"{BASE}/small", json=["a"])
    with ThreadPoolExecutor(1) as pool:
        with parsing_large:
            large = pool.submit(http.request, "GET", "/large", write=False, auth=auth)
            assert http.request("GET", "/small", write=False, auth=auth).body == ["a"]
            with pytest.raises(TimeoutError):
                large.result(0.5)
        assert len(large.result().body[0]) == LARGE_ANSWER_BYTES


def test_credentials_go_to_no_other_host(http, vendor):
    with pytest.raises(Refused, match="outside base_url"):
        http.request("GET", "https://evil.example/api/v1/tickets", write=False, auth=auth)
    assert len(vendor.calls) == 0


def test_a_key_that_no_header_can_carry_is_reported_without_the_key(http, vendor):
    def broken(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.prepare_headers({"Authorization": f"Bearer {KEY}\n"})
        return request

    with pytest.raises(Refused, match="credentials") as error:
        http.request("GET", "/x", write=False, auth=broken)
    assert KEY not in str(error.value)
    assert len(vendor.calls) == 0


def test_takes_nothing_from_the_environment_and_keeps_no_cookie(vendor, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine desk.example login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:1")
    http = Http(replace(connection("switch"), base_url=BASE), clock=StillClock(NOW))
    vendor.get(f"{BASE}/x", json={}, headers={"Set-Cookie": "a=b"})
    for _ in range(2):
        http.request("GET", "/x", write=False, auth=None)
    http.close()
    for call in vendor.calls:
        assert not {"Authorization", "Cookie"} & set(call.request.headers)
        assert not call.request.req_kwargs["proxies"]


class Server:
    """A socket that answers one request in pieces, waiting after each until told to go on.

    `before`: the answer to a request that comes before it on the same connection.
    """

    def __init__(self, pieces: list[bytes], *, trickle: float, before: bytes = b"") -> None:
        self._before = before
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._pieces, self._trickle = pieces, trickle
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        peer, _ = self._listener.accept()
        with peer:
            peer.recv(65536)
            if self._before:
                peer.sendall(self._before)
                peer.recv(65536)
            for piece in self._pieces:
                try:
                    peer.sendall(piece)
                except OSError:
                    return
                if self._stop.wait(self._trickle):
                    return

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._listener.close()


@pytest.mark.parametrize(("write", "kind"), [(False, Unavailable), (True, UnknownOutcome)])
def test_a_trickling_answer_ends_at_the_deadline(write, kind):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n"
    # It is connected before: what is late before that was not sent.
    before = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    server = Server([head, *[b" "] * 2000], trickle=0.05, before=before)
    http = Http(replace(connection("switch"), base_url=server.url), clock=StillClock(NOW))
    http.request("GET", "/x", write=False, auth=None)
    http.connection = replace(http.connection, timeout=0.4)
    with pytest.raises(kind, match=r"within 0\.4 s|broke off"):
        http.request("POST", "/x", write=write, auth=None)
    http.close()
    server.close()


def test_the_deadline_holds_without_a_socket_too():
    class Slow(BytesIO):
        def read1(self, _size=-1):
            time.sleep(0.02)
            return super().read1(1)

    class Own(HTTPAdapter):
        def send(self, request, *_args, **_kwargs):
            made = requests.Response()
            made.status_code, made.raw, made.url = 200, Slow(b" " * 200), request.url
            return made

    http = Http(connection("switch", timeout=0.1), clock=StillClock(NOW), adapter=Own())
    with pytest.raises(Unavailable, match=r"no full answer within 0\.1 s"):
        http.request("GET", "/x", write=False, auth=None)
    http.close()


def test_an_answer_that_stops_in_the_middle_is_none():
    server = Server([b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"], trickle=0)
    http = Http(replace(connection("switch"), base_url=server.url), clock=StillClock(NOW))
    with pytest.raises(UnknownOutcome, match="broke off"):
        http.request("PATCH", "/x", json={}, write=True, auth=None)
    http.close()
    server.close()


def test_more_calls_at_once_than_connections_are_kept_all_get_their_answer():
    met = threading.Barrier(3)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            met.wait(60)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_port}"
        http = Http(
            replace(connection("switch"), base_url=url, concurrency=1), clock=StillClock(NOW)
        )
        with ThreadPoolExecutor(3) as pool:
            answers = [
                pool.submit(http.request, "GET", "/x", write=False, auth=None) for _ in range(3)
            ]
        assert [each.result().body for each in answers] == [{}, {}, {}]
        http.close()
        server.shutdown()


def test_nobody_listening_means_not_sent():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    http = Http(replace(connection("switch"), base_url=url), clock=StillClock(NOW))
    with pytest.raises(NotSent):
        http.request("POST", "/x", json={}, write=True, auth=None)
    http.close()


def test_a_given_adapter_takes_every_call():
    class Own(HTTPAdapter):
        def send(self, request, *_args, **_kwargs):
            made = requests.Response()
            made.status_code, made.raw, made.url = (
                200,
                urllib3.HTTPResponse(BytesIO(b"{}"), preload_content=False),
                request.url,
            )
            return made

    http = Http(connection("switch"), clock=StillClock(NOW), adapter=Own())
    assert http.request("GET", "/x", write=False, auth=None).body == {}
