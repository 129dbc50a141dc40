"""One call to an endpoint: it takes no longer than it may, whatever answers."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bridge.http.notice_call import NoticeCaller
from tests.connectors.test_http import Server

BODY = b'{"type":"notice.test"}'


@contextmanager
def answering(status, headers=(), body=b""):
    """A receiver; yields its address and what came."""
    came = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            came.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815 - http.server's names

        def log_message(self, *_arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/in?key=k", came
        server.shutdown()
        thread.join()


def post(url, seconds=30.0):
    caller = NoticeCaller(url, seconds=seconds)
    try:
        return caller.post(BODY, {"webhook-id": "msg_1"})
    finally:
        caller.close()


@pytest.mark.parametrize(
    ("status", "taken", "gone", "words"),
    [
        (200, True, False, ""),
        (204, True, False, ""),
        (302, False, False, "answered 302, a redirect, which is not followed; correct `url`"),
        (404, False, False, "answered 404"),
        (410, False, True, "answered 410: it wants no more notices"),
        (500, False, False, "answered 500"),
    ],
)
def test_an_answer_is_taken_by_its_status_alone(status, taken, gone, words):
    with answering(status, [("Location", "http://127.0.0.1:1/"), ("Set-Cookie", "a=b")]) as server:
        url, came = server
        answer = post(url)
        assert (answer.status, answer.is_taken, answer.is_gone) == (status, taken, gone)
        assert answer.words == words
        ((headers, body),) = came
    assert body == BODY
    assert headers["webhook-id"] == "msg_1"
    assert headers["Content-Type"] == "application/json"
    assert not {"Authorization", "Cookie"} & set(headers)


def test_a_huge_answer_is_not_read():
    with answering(200, body=b"x" * (32 << 20)) as (url, _came):
        assert post(url).is_taken


def test_an_answer_that_trickles_is_taken_as_soon_as_its_head_is_there():
    server = Server([b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"], trickle=60)
    assert post(server.url).is_taken
    server.close()


def test_a_head_that_trickles_ends_at_the_deadline():
    server = Server([b"HTTP/1.1 200 OK\r\n", *[b"x: y\r\n"] * 2000], trickle=0.05)
    answer = post(server.url, seconds=0.5)
    server.close()
    assert (answer.status, answer.words) == (None, "no answer within 0.5 s")


def test_a_head_without_end_is_cut_off():
    server = Server([b"HTTP/1.1 200 OK\r\n", b"x: " + b"y" * 200_000], trickle=0)
    answer = post(server.url)
    server.close()
    assert answer.status is None


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://does-not-exist.invalid/"])
def test_where_nobody_answers_that_is_said_in_words_of_the_section(url):
    answer = post(url)
    assert answer.status is None
    assert "correct `url`" in answer.words
    assert "base_url" not in answer.words
