"""What a long-lived process does about its memory, so that a large answer leaves no trace in it.

glibc's allocator keeps what is freed: each thread has a heap of its own, and the first megabytes
that are freed raise the size up to which blocks come from those heaps. A worker with sixteen
threads that has read some huge answers kept hundreds of megabytes so. Elsewhere (musl, macOS) this
does nothing.
"""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Callable
from typing import Final

LARGE_BLOCK_BYTES: Final = 256 * 1024
"""Blocks beyond this come from the system and go back to it as soon as they are freed."""
MAX_HEAPS: Final = 2
"""Heaps that all threads share: Python's own lock lets one of them allocate at a time."""
GARBAGE_AFTER: Final = 10_000
"""Objects made and not freed until the youngest are searched for garbage; Python's own is 700."""
GIVE_BACK_EVERY: Final = 10.0
"""Seconds between two times that the heaps are looked through for what can be given back."""

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8


def keep_loaded() -> None:
    """Have what comes from now on looked through for garbage seldom, and what is loaded never.

    Listings and webhooks make many small objects, few of which need a search to be freed.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER)


def bound_heaps() -> None:
    """Let freed memory go back to the system. To be called before the process makes threads."""
    mallopt = _function("mallopt", ctypes.c_int, ctypes.c_int)
    mallopt(_M_ARENA_MAX, MAX_HEAPS)
    mallopt(_M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)
    mallopt(_M_TRIM_THRESHOLD, LARGE_BLOCK_BYTES)


class Giver:
    """Gives back what lies free between blocks that are in use, now and then."""

    def __init__(self) -> None:
        self._trim = _function("malloc_trim", ctypes.c_size_t)
        self._next = 0.0

    def give_back(self) -> None:
        """Look through the heaps, unless that was done a moment ago."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + GIVE_BACK_EVERY
            self._trim(0)


def _function(name: str, *arguments: type) -> Callable[..., object]:
    """Return a function of the C library's allocator; where it has none, one that does nothing."""
    try:
        function = getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):
        return lambda *_: 0
    function.argtypes, function.restype = arguments, ctypes.c_int
    return function  # type: ignore[no-any-return]
