"""One call at a vendor that may answer wrongly: what was asked, the right answer, and ways to send.

It speaks to the socket itself, because no server library sends what is tried here.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

MAX_SECONDS = 20.0
"""For so long a way goes on at most, should nobody hang up."""


@dataclass(frozen=True)
class Reply:
    """An answer: what the vendor would say if it were well."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as a value."""
        return json.loads(self.body or b"null")


@dataclass
class Exchange:
    """A call that came in, and the socket on which it waits for its answer."""

    sock: socket.socket
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    answer: Callable[[Exchange], Reply]
    """Lets the vendor's account do what was asked."""
    here: str
    """Our own address, `http://127.0.0.1:1234`."""
    elsewhere: str
    """The address of another host, which nobody may call."""
    count: int = 0
    """How many calls came before it while the vendor has answered in this way."""
    _end: float = field(default_factory=lambda: time.monotonic() + MAX_SECONDS)

    def real(self) -> Reply:
        """Return the right answer. What was asked for is done by that."""
        return self.answer(self)

    def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.sock.sendall(data)

    def head(self, status: int, *lines: str) -> None:
        """Send a status line and header lines, and the empty line after them."""
        first = f"HTTP/1.1 {status} Said\r\nDate: {_now()}\r\n"
        self.raw((first + "".join(f"{line}\r\n" for line in lines) + "\r\n").encode("latin-1"))

    def send(
        self, status: int, body: bytes = b"", *lines: str, kind: str = "application/json"
    ) -> None:
        """Send a well-formed answer."""
        self.head(status, f"Content-Type: {kind}", f"Content-Length: {len(body)}", *lines)
        self.raw(body)

    def send_json(self, reply: Reply, value: Any) -> None:
        """Send the right answer with another body."""
        self.send(reply.status, json.dumps(value).encode())

    def pass_on(self, reply: Reply) -> None:
        """Send the right answer."""
        kind = reply.headers.get("content-type", "application/json")
        kept = [f"{name}: {reply.headers[name]}" for name in ("link",) if name in reply.headers]
        self.send(reply.status, reply.body, *kept, kind=kind)

    def drip(self, data: bytes, pause: float) -> None:
        """Send a byte at a time, until the caller has had enough."""
        for number in range(len(data)):
            self.raw(data[number : number + 1])
            if not self.goes_on(pause):
                return

    def goes_on(self, pause: float = 0.0) -> bool:
        """Wait, and return whether the caller still waits and it has not gone on for too long."""
        end = time.monotonic() + pause
        while True:
            if time.monotonic() > self._end or _hung_up(self.sock):
                return False
            left = end - time.monotonic()
            if left <= 0:
                return True
            time.sleep(min(left, 0.05))

    def hang_up(self, *, reset: bool = False) -> None:
        """Close the connection; `reset`: with an RST, as a crashed vendor does."""
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with contextlib.suppress(OSError):
            self.sock.close()


IDS = ("id", "short_id")
"""What vendors call the id of a record, in the order in which a record is known by it."""


def id_name(record: dict[str, Any]) -> str:
    """Return under which name a record has its id; empty: it is no record."""
    return next((name for name in IDS if name in record), "")


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of an answer that has an id, those within others too."""
    if isinstance(value, dict):
        if id_name(value):
            yield value
        for inner in list(value.values()):
            yield from objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from objects(inner)


def listed(value: Any) -> Iterator[list[Any]]:
    """Yield every list of records of an answer."""
    if isinstance(value, list):
        if value and all(isinstance(each, dict) and id_name(each) for each in value):
            yield value
        for inner in value:
            yield from listed(inner)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from listed(inner)


def leaves(value: Any, change: Callable[[str, Any], Any], name: str = "") -> Any:
    """Return a value with every leaf changed; `change` is given the name of its field."""
    if isinstance(value, dict):
        return {key: leaves(inner, change, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [leaves(inner, change, name) for inner in value]
    return change(name, value)


def _hung_up(sock: socket.socket) -> bool:
    # Asked first: with a timeout set, Python waits for something to read, MSG_DONTWAIT or not.
    something = select.poll()
    something.register(sock, select.POLLIN)
    try:
        return bool(something.poll(0)) and sock.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True


def _now() -> str:
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
