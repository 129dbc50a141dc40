"""A way to answer does what it is called: what goes on and on does, for as long as it is read."""

import contextlib
import itertools
import random
import socket

import pytest

from bridge.clock import SystemClock
from bridge.sandbox.registry import sandbox_class
from tests.hostile.front import HostileFront

ENOUGH = 200_000


@pytest.fixture
def front():
    app = sandbox_class("zaia")(
        SystemClock(),
        random.Random(1),
        api_key="key",
        name="desk",
        options={},
        sequence=itertools.count(1),
    )
    made = HostileFront(app, "http://elsewhere.invalid", in_turn=True)
    made.start()
    with contextlib.closing(made):
        yield made


def read(front, enough):
    """Ask, and read what comes until that is enough or nothing more will come."""
    got = b""
    host, port = front.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as caller:
        caller.sendall(b"GET /api/v1/tickets/details?status=pending HTTP/1.1\r\nHost: here\r\n\r\n")
        while len(got) < enough and (part := caller.recv(65_536)):
            got += part
    front.finish()
    return got


@pytest.mark.parametrize(
    "way", ["endless: header lines", "endless: one header line", "endless: body"]
)
def test_what_is_endless_goes_on_until_the_caller_hangs_up(front, way):
    front.answer_in(way)
    assert len(read(front, ENOUGH)) >= ENOUGH


@pytest.mark.parametrize(
    "way", ["slow: status line", "slow: a header line every 0.3 s", "slow: the body, byte by byte"]
)
def test_what_is_slow_sends_more_and_more(front, way):
    front.answer_in(way)
    head = len(read(front, 1))
    assert len(read(front, head + 3)) >= head + 3
