"""An answer that is known only once a delivery is committed, and needs no thread to wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any, Final

import orjson

HARDENED: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cache-Control", "no-store"),
)
"""Headers of every answer."""
_HEADERS: Final = (*HARDENED, ("Content-Type", "application/json"))

Answer = tuple[int, list[tuple[str, str]], bytes]
"""Status, headers and body."""


def in_json(payload: Mapping[str, str], status: int, *headers: tuple[str, str]) -> Answer:
    """Return an answer that says this."""
    return status, [*_HEADERS, *headers], orjson.dumps(payload) + b"\n"


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class LateAnswer:
    """The answer of one whose delivery is being committed."""

    begun: Future[Any]
    """Done once the answer is known."""
    patience: float
    """Seconds after which it is not waited for any longer."""
    known: Callable[[], Answer]
    """Return what is answered, however far the commit has come."""

    def waited(self) -> Answer:
        """Wait in this thread, and return what is answered.

        Raises RuntimeError in a thread whose event loop runs: it may be this loop that begins the
        commit (intake.py).
        """
        if not self.begun.done():
            if _in_a_loop():
                raise RuntimeError("an event loop must not wait for a commit: await the answer")
            wait([self.begun], self.patience)
        return self.known()
