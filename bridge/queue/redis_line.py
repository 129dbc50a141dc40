"""One connection to Redis, for who asks often: what needs no answer is not waited for."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from typing import Any, Final

from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import NoScriptError, ResponseError
from redis.exceptions import TimeoutError as TookTooLong

from bridge.queue.redis_address import Address, connect

_BROKEN: Final = (Unreachable, TookTooLong, OSError)
"""Errors after which a new connection is tried once, for the old one may have been closed."""


class RedisLine:
    """A connection that is kept. The answer to what was told is read before the next answer.

    So whatever interrupts an exchange closes the connection: an answer is never taken for another.
    """

    def __init__(self, address: Address) -> None:
        self._pool = connect(address).connection_pool
        self._connection: Any = None
        self._unread = 0
        self._lock = threading.Lock()

    def run(self, script: str, keys: list[str], arguments: list[str | float]) -> Any:
        """Run a script and return its answer. Raises RedisError or OSError."""
        name = _name_of(script)
        try:
            return self.ask("EVALSHA", name, len(keys), *keys, *arguments)
        except NoScriptError:  # it is new to this Redis, or Redis was emptied
            self.ask("SCRIPT", "LOAD", script)
            return self.ask("EVALSHA", name, len(keys), *keys, *arguments)

    def ask(self, *command: str | float) -> Any:
        """Send a command and return its answer. Raises RedisError or OSError."""
        with self._lock:
            try:
                return self._answer_to(command)
            except _BROKEN:
                return self._answer_to(command)

    def tell(self, *command: str | float) -> None:
        """Send a command at once, and do not wait. Raises RedisError or OSError.

        Nobody learns of a refusal, nor that Redis went away before it had read it.
        """
        with self._lock:
            try:
                self._send(command)
            except BaseException:
                self._drop()
                raise

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._drop()

    def _answer_to(self, command: tuple[str | float, ...]) -> Any:
        try:
            self._send(command)
            while self._unread > 1:
                with contextlib.suppress(ResponseError):
                    self._connection.read_response()
                self._unread -= 1
            answer = self._connection.read_response()
        except ResponseError:
            self._unread = 0
            raise
        except BaseException:
            self._drop()
            raise
        self._unread = 0
        return answer

    def _send(self, command: tuple[str | float, ...]) -> None:
        if self._connection is None:
            self._connection, self._unread = self._pool.get_connection(), 0
        # Without the library's look at the connection's health, which would read an answer.
        self._connection.send_packed_command(
            self._connection.pack_command(*command), check_health=False
        )
        self._unread += 1

    def _drop(self) -> None:
        connection, self._connection, self._unread = self._connection, None, 0
        if connection is not None:
            connection.disconnect()
            self._pool.release(connection)


def _name_of(script: str) -> str:
    """Return the name under which Redis knows a script."""
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
