"""Numbers that the server processes of one receiver share: what they count is counted together.

They stand in a file that each process maps into its memory, so that nobody waits for a database or
for Redis. A number stays when the process that raised it dies.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

FILE: Final = "BRIDGE_RECEIVER_NUMBERS"
"""Environment of a server process: the file that it shares with the others."""
ROOM: Final = 16_384
"""So many numbers; the file takes up no more than those that there are."""
PATIENCE_SECONDS: Final = 0.02
"""So long a process waits for another that is about to change a number, a matter of microseconds.

One that was stopped just there holds nobody up: the others go on without it, for
`WITHOUT_SECONDS`, and may miss a count.
"""
WITHOUT_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.0005
_HEAD: Final = struct.Struct("<q")
_NUMBER: Final = struct.Struct("<d")
_NAME_BYTES: Final = 248
_RECORD: Final = _NAME_BYTES + _NUMBER.size
"""A name in UTF-8, then its number."""
SIZE: Final = _RECORD * (ROOM + 1)
"""Bytes of the file, the first record's place for how many there are."""


def shared() -> SharedNumbers | None:
    """Return what this server process shares with others; None: there are no others."""
    file = os.environ.get(FILE, "")
    return SharedNumbers(Path(file)) if file else None


class SharedNumbers:
    """Numbers by name, 0 in the beginning; without a file they are this process's alone."""

    def __init__(self, file: Path | None = None, patience: float = PATIENCE_SECONDS) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._file = -1 if file is None else os.open(file, os.O_RDWR | os.O_CLOEXEC)
        self._memory = mmap.mmap(self._file, SIZE)
        self._known = 0
        self._places: dict[str, int] = {}
        self._is_alone = False
        """In `locked`: no other process changes numbers meanwhile."""
        self._goes_without_until = 0.0

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep all others, in whatever process, from changing numbers in the block."""
        with self._lock:
            self._is_alone = self._file < 0 or self._take_turn()
            try:
                yield
            finally:
                if self._file >= 0 and self._is_alone:
                    fcntl.flock(self._file, fcntl.LOCK_UN)

    def get(self, name: str) -> float:
        """Return a number. To be called in `locked`, as `put` is."""
        value: float = _NUMBER.unpack_from(self._memory, self._place(name))[0]
        return value

    def put(self, name: str, value: float) -> None:
        """Set a number."""
        _NUMBER.pack_into(self._memory, self._place(name), value)

    def add(self, name: str, value: float = 1.0) -> None:
        """Add to a number."""
        with self.locked():
            self.put(name, self.get(name) + value)

    def beginning(self, prefix: str) -> dict[str, float]:
        """Return the numbers whose names begin so."""
        with self.locked():
            self._learn()
            names = [name for name in self._places if name.startswith(prefix)]
            return {name: self.get(name) for name in names}

    def _take_turn(self) -> bool:
        """Return whether the file is locked now."""
        began = time.monotonic()
        if began < self._goes_without_until:
            return False
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() - began > self._patience:
                    self._goes_without_until = time.monotonic() + WITHOUT_SECONDS
                    return False
                time.sleep(_PAUSE_SECONDS)
            else:
                return True

    def _place(self, name: str) -> int:
        place = self._places.get(name)
        if place is None:
            self._learn()
            place = self._places.get(name)
        return self._new(name) if place is None else place

    def _learn(self) -> None:
        """Learn which names there are by now."""
        count = _HEAD.unpack_from(self._memory, 0)[0]
        while self._known < count:
            self._known += 1
            begin = self._known * _RECORD
            name = self._memory[begin : begin + _NAME_BYTES].rstrip(b"\0").decode()
            self._places[name] = begin + _NAME_BYTES

    def _new(self, name: str) -> int:
        written = name.encode()
        if len(written) > _NAME_BYTES or self._known == ROOM or not self._is_alone:
            # There is no room for it, or another could take the same: a number nobody looks at.
            return _NAME_BYTES
        self._known += 1
        begin = self._known * _RECORD
        # As a whole: one that was killed here has left a name that may be longer.
        self._memory[begin : begin + _NAME_BYTES] = written.ljust(_NAME_BYTES, b"\0")
        _HEAD.pack_into(self._memory, 0, self._known)
        self._places[name] = begin + _NAME_BYTES
        return begin + _NAME_BYTES
