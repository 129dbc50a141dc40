"""Reads request bodies asynchronously, and passes only complete requests to the application.

A WSGI server hands a request over while its body is still arriving, and the thread that reads it
waits. A few callers who send one byte a minute would then occupy every thread. Here a body is
awaited within limits of size and time, and only then is the application called, in a thread: it may
wait, which the loop must not. What is posted to a connection's address goes to the receiver of
webhooks, past the application, which would do no more than hand it on; with a small body, as a
webhook has, in the loop itself, since that is done sooner than a thread is woken. No thread waits
for its commit (late_answer.py).
"""

from __future__ import annotations

import asyncio
import io
import logging
import sys
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from bridge.observability.log import together
from bridge.web.receiver.body import LIMIT
from bridge.web.receiver.late_answer import Answer, LateAnswer, in_json
from bridge.web.receiver.webhooks import WebhookReceiver

THREADS: Final = 16
PROBE_THREADS: Final = 4
"""Threads for what is only read: health is told also while all others wait for the ledger."""
BODY_TIMEOUT_SECONDS: Final = 10.0
"""The time in which a request's body has to arrive."""
SMALL_BODY: Final = 16 * 1024
"""Bytes; a body of this size, as the usual webhook has, is taken however many others are held."""
BODIES: Final = 256 * 1024 * 1024
"""Bytes of all bodies that are held at once; beyond them only small ones are taken."""
BEAT_SECONDS: Final = 10.0
"""Every so often it is said that requests are taken."""
_READING: Final = frozenset({"GET", "HEAD"})
_NAMELESS: Final = ("server", "")
"""The server writes its own name where there is none; this one tells nobody what runs here."""
_JSON: Final = [("content-type", "application/json"), ("connection", "close"), _NAMELESS]
_BUSY: Final = [*_JSON, ("retry-after", "10")]
_PLAIN: Final = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}

WEBHOOKS: Final = "/webhooks/"
"""Where the address of a connection begins that takes webhooks."""

log = logging.getLogger(__name__)

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class _TooMuchAtOnceError(Exception):
    """The bodies of all requests together are too long."""


class Gateway:
    """Serves a WSGI application over RSGI, granian's own interface.

    `limit` is in bytes; one more is passed on, by which the application sees that it was too long.
    `bodies`: bytes of all bodies together, beyond which a long one is answered 503.
    `beat` is called every few seconds, on the way that requests take: it says that they are taken.
    """

    def __init__(
        self,
        app: Wsgi,
        receiver: WebhookReceiver,
        *,
        threads: int = THREADS,
        limit: int = LIMIT,
        bodies: int = BODIES,
        body_timeout: float = BODY_TIMEOUT_SECONDS,
        on_close: Callable[[], None] = lambda: None,
        beat: Callable[[], object] = lambda: None,
    ) -> None:
        self._app = app
        self._receiver = receiver
        self._on_close = on_close
        self._beat = beat
        self._beating: asyncio.Task[None] | None = None
        self._limit = limit
        self._bodies = bodies
        self._held = 0
        self._known: deque[tuple[asyncio.Future[Answer], LateAnswer]] = deque()
        self._waking = False
        self._body_timeout = body_timeout
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="web")
        self._probes = ThreadPoolExecutor(PROBE_THREADS, thread_name_prefix="probe")

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to beat; the server calls this before it takes requests."""
        self._beating = loop.create_task(self._beat_on())

    async def _beat_on(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await loop.run_in_executor(self._pool, self._beat)
            await asyncio.sleep(BEAT_SECONDS)

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request."""
        if scope.proto != "http":
            protocol.close(400)
            return
        body = bytearray()
        try:
            await self._answer(scope, protocol, body)
        finally:
            self._held -= len(body)

    async def _answer(self, scope: Any, protocol: Any, body: bytearray) -> None:
        try:
            async with asyncio.timeout(self._body_timeout):
                await self._read(scope, protocol, body)
        except TimeoutError:
            protocol.response_str(408, _JSON, '{"error":"the body did not arrive in time"}')
            return
        except _TooMuchAtOnceError:
            protocol.response_str(503, _BUSY, '{"error":"too many long bodies at once"}')
            return
        name = self._connection(scope)
        if name is not None and len(body) <= SMALL_BODY:  # sooner than to a thread and back
            answer = self._received(name, scope, bytes(body))
        else:
            pool = self._probes if scope.method in _READING else self._pool
            loop = asyncio.get_running_loop()
            answer = await loop.run_in_executor(
                pool, self._call, name, scope, bytes(body[: self._limit + 1])
            )
        if isinstance(answer, LateAnswer):
            answer = await self._when_known(answer)
        status, headers, payload = answer
        protocol.response_bytes(status, [*headers, _NAMELESS], payload)

    async def _when_known(self, answer: LateAnswer) -> Answer:
        """Return an answer that waits for a commit, awaited without a thread."""
        if answer.begun.done():
            return answer.known()
        loop = asyncio.get_running_loop()
        known: asyncio.Future[Answer] = loop.create_future()
        answer.begun.add_done_callback(lambda _: self._wake(known, answer))
        end = loop.call_later(answer.patience, self._give_up, known, answer)
        try:
            return await known
        finally:
            end.cancel()

    def _give_up(self, known: asyncio.Future[Answer], answer: LateAnswer) -> None:
        if not known.done():
            known.set_result(answer.known())

    def _wake(self, known: asyncio.Future[Answer], answer: LateAnswer) -> None:
        """Let a request go on; called in another thread, for many of one commit after another."""
        self._known.append((known, answer))
        if not self._waking:  # to wake the loop costs more than all else of it
            self._waking = True
            known.get_loop().call_soon_threadsafe(self._wake_all)

    def _wake_all(self) -> None:
        self._waking = False  # before any is taken: what comes after that asks for another turn
        with together():
            while self._known:
                known, answer = self._known.popleft()
                if not known.done():
                    known.set_result(answer.known())

    def __rsgi_del__(self, _loop: Any) -> None:
        """Finish the requests under way and close the application; the server calls this."""
        if self._beating is not None:
            self._beating.cancel()
        for pool in (self._pool, self._probes):
            pool.shutdown(wait=True)
        self._on_close()

    async def _read(self, scope: Any, protocol: Any, body: bytearray) -> None:
        """Put a request's body into `body`, as far as the application may see it."""
        if scope.method in _READING:
            return
        declared = scope.headers.get("content-length") or ""
        length = int(declared) if declared.isdecimal() else self._limit
        if length > self._limit:
            return  # the application will refuse the declared length
        if length <= SMALL_BODY:  # the server takes no more than what was declared
            body += await protocol()
            self._held += len(body)
            return
        async for chunk in protocol:
            body += chunk
            self._held += len(chunk)
            if len(body) > self._limit:
                break
            if len(body) > SMALL_BODY and self._held > self._bodies:
                raise _TooMuchAtOnceError

    def _connection(self, scope: Any) -> str | None:
        """Return the connection to whose address this was posted, in the usual spelling."""
        if scope.method == "POST" and scope.path.startswith(WEBHOOKS):
            name: str = scope.path[len(WEBHOOKS) :]
            if name in self._receiver.connections:
                return name
        return None

    def _call(self, name: str | None, scope: Any, body: bytes) -> Answer | LateAnswer:
        if name is not None:
            return self._received(name, scope, body)
        return self._applied(scope, body)

    def _received(self, name: str, scope: Any, body: bytes) -> Answer | LateAnswer:
        try:
            return self._receiver.receive(name, _headers(scope), io.BytesIO(body))
        except Exception:
            log.exception("a webhook failed; it was answered with 500")
            return in_json({"error": "Internal Server Error"}, 500)

    def _applied(self, scope: Any, body: bytes) -> Answer:
        answer: list[Any] = [500, []]

        def start(status: str, headers: list[tuple[str, str]], _failure: Any = None) -> None:
            answer[:] = [int(status[:3]), headers]

        parts = self._app(_environ(scope, body), start)
        try:
            payload = b"".join(parts)
        finally:
            if (close := getattr(parts, "close", None)) is not None:
                close()
        return answer[0], answer[1], payload


def _headers(scope: Any) -> dict[str, str]:
    """Return a request's headers by their lower-case names, as `_environ` would have them."""
    headers: dict[str, str] = {}
    for each, value in scope.headers.items():
        name = each.replace("_", "-")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


def _environ(scope: Any, body: bytes) -> dict[str, Any]:
    host, _, port = scope.server.rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        # WSGI has the path's bytes as Latin-1; the server has decoded them as UTF-8.
        "PATH_INFO": scope.path.encode("utf-8", "surrogateescape").decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        key = _PLAIN.get(name) or "HTTP_" + name.upper().replace("-", "_")
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ
