"""Lines between the bridge and its vendors, each of which can be cut or left to hang.

Only what the bridge says goes through here; the hand that plays a vendor's users has a way of its
own.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Coroutine
from typing import Any

HOST = "127.0.0.1"
CHUNK = 65_536


class Line:
    """One vendor's line. Cut, it refuses connections; hanging, it takes calls and never answers."""

    def __init__(self, loop: asyncio.AbstractEventLoop, port: int) -> None:
        self._loop = loop
        self._to = port
        # Bound and never listening: keeps the port ours while the line is cut, and refuses whoever
        # calls.
        self._holder = _bound(0)
        self.port: int = self._holder.getsockname()[1]
        self._server: asyncio.Server | None = None
        self._open = asyncio.Event()
        self._calls: set[asyncio.Transport] = set()

    def cut(self) -> None:
        """Refuse connections, and drop those there are."""
        self._do(self._cut())

    def hang(self) -> None:
        """Accept connections and answer nobody."""
        self._do(self._hang())

    def mend(self) -> None:
        """Carry calls again; those that hung are dropped."""
        self._do(self._mend())

    def close(self) -> None:
        """Cut it for good."""
        self.cut()
        self._holder.close()

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        self._drop()

    async def _hang(self) -> None:
        self._open.clear()

    async def _mend(self) -> None:
        self._drop()
        self._open.set()
        if self._server is None:
            listening = _bound(self.port)
            listening.setblocking(False)
            self._server = await asyncio.start_server(self._carry, sock=listening, backlog=128)

    def _drop(self) -> None:
        for transport in self._calls:
            transport.abort()
        self._calls.clear()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._calls.add(writer.transport)
        there = None
        try:
            await self._open.wait()
            there_reader, there = await asyncio.open_connection(HOST, self._to)
            self._calls.add(there.transport)
            ways = [asyncio.ensure_future(self._pass(reader, there))]
            ways.append(asyncio.ensure_future(self._pass(there_reader, writer)))
            _, left = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in left:
                way.cancel()
        except (OSError, asyncio.CancelledError):
            pass  # dropped, or the vendor is gone, or all ends: the caller sees a closed connection
        finally:
            for end in (writer, there):
                if end is not None:
                    self._calls.discard(end.transport)
                    end.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._open.wait()
                if writer.is_closing():
                    return
                writer.write(data)
                await writer.drain()


class Switchboard:
    """All lines, carried by one thread."""

    def __init__(self) -> None:
        self.lines: dict[str, Line] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="switchboard", daemon=True
        )
        self._thread.start()

    def connect(self, name: str, port: int) -> Line:
        """Lay a line to a port of this machine."""
        line = self.lines[name] = Line(self._loop, port)
        line.mend()
        return line

    def close(self) -> None:
        """Cut all lines and end the thread."""
        for line in self.lines.values():
            line.close()
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _bound(port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((HOST, port))
    return made
