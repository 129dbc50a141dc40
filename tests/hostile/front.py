"""The front of a vendor's account: it answers rightly, or in one of the ways that are wrong."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

from werkzeug.test import EnvironBuilder, run_wsgi_app

from tests.hostile.exchange import Exchange, Reply
from tests.hostile.ways import WAYS

HOST = "127.0.0.1"
MAX_REQUEST = 4 << 20
IDLE_SECONDS = 60.0


class Listener:
    """A socket on which each connection is served by a thread of its own, or one after the other.

    `in_turn`: the latter, so that whoever calls can tell when all is done.
    """

    def __init__(self, *, in_turn: bool = False) -> None:
        self._in_turn = in_turn
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._listening = socket.create_server((HOST, 0), backlog=128)
        self.url = f"http://{HOST}:{self._listening.getsockname()[1]}"

    def start(self) -> None:
        """Take connections."""
        self._thread.start()

    def close(self) -> None:
        """Take no more connections. Those that are served in turn have been served."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def finish(self) -> None:
        """Return when all that came before is done, where connections are served in turn.

        Whoever called must have hung up.
        """
        with socket.create_connection(self._listening.getsockname()) as last:
            last.shutdown(socket.SHUT_WR)  # asks for nothing, and is hung up on when it is its turn
            last.recv(1)

    def serve(self, sock: socket.socket) -> None:
        """Answer what comes on one connection."""
        raise NotImplementedError

    def _accept(self) -> None:
        with self._listening:  # whatever ends this thread, nobody is left waiting for it
            while True:
                try:
                    sock, _ = self._listening.accept()
                except OSError:  # it was closed
                    return
                if self._in_turn:
                    self._guarded(sock)
                else:
                    threading.Thread(target=self._guarded, args=(sock,), daemon=True).start()

    def _guarded(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):  # whoever calls may hang up at any time
            sock.settimeout(IDLE_SECONDS)
            self.serve(sock)


class Canary(Listener):
    """Another host: whoever calls it was led astray, and is counted."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def serve(self, sock: socket.socket) -> None:
        self.calls.append(sock.recv(65_536).decode("latin-1")[:2000])


class HostileFront(Listener):
    """What stands before one account of a vendor."""

    def __init__(self, app: Any, elsewhere: str, *, in_turn: bool = False) -> None:
        super().__init__(in_turn=in_turn)
        self.app = app
        self.elsewhere = elsewhere
        self.way = ""
        """How it answers; empty: rightly."""
        self.hits = 0
        """Calls that it has answered in this way."""

    def answer_in(self, way: str) -> None:
        """Answer in this way from now on; empty: rightly."""
        if way and way not in WAYS:
            raise ValueError(f"no way {way!r}")
        self.way, self.hits = way, 0

    def serve(self, sock: socket.socket) -> None:
        with sock.makefile("rb") as file:
            for request in _requests(file):
                if not self._answered(sock, *request):
                    return

    def _answered(
        self, sock: socket.socket, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> bool:
        """Answer one call; return whether the connection may be used again."""
        way = self.way
        call = Exchange(
            sock, method, target, headers, body, self._real, self.url, self.elsewhere, self.hits
        )
        self.hits += bool(way)
        if not way:
            call.pass_on(call.real())
            return True
        with contextlib.suppress(OSError):
            WAYS[way](call)
        call.hang_up()  # what it left behind is nobody's next answer
        return False

    def _real(self, call: Exchange) -> Reply:
        path, _, query = call.target.partition("?")
        headers = [(name, value) for name, value in call.headers.items() if name != "host"]
        builder = EnvironBuilder(
            method=call.method,
            path=path,
            query_string=query,
            headers=headers,
            data=call.body,
            base_url=self.url,
        )
        chunks, status, answered = run_wsgi_app(self.app, builder.get_environ(), buffered=True)
        lower = {name.lower(): value for name, value in answered}
        return Reply(int(status.split()[0]), lower, b"".join(chunks))


def _requests(file: Any) -> Iterator[tuple[str, str, dict[str, str], bytes]]:
    """Yield the requests of one connection."""
    while line := file.readline(65_536):
        method, _, rest = line.decode("latin-1").partition(" ")
        target = rest.rpartition(" ")[0] or rest.strip()
        headers: dict[str, str] = {}
        while (header := file.readline(65_536).decode("latin-1").rstrip("\r\n")) != "":
            name, _, value = header.partition(":")
            headers[name.strip().lower()] = value.strip()
        length = min(int(headers.get("content-length") or 0), MAX_REQUEST)
        yield method, target, headers, file.read(length) if length else b""
