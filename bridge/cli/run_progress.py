"""Shows how far runs are while they go on: in one line on a terminal, else line by line."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self

from bridge.cli.screen import say, say_over
from bridge.core.model.counting import counted
from bridge.errors import BridgeError
from bridge.operations.reconciliations import RunProgress

LOOK_SECONDS: Final = 0.5


class ProgressDisplay:
    """`with ProgressDisplay(look): ...` looks in a thread of its own, as the work may take long."""

    def __init__(self, look: Callable[[], list[RunProgress]]) -> None:
        self.look = look
        self.over = threading.Event()
        self.seen: dict[int, int] = {}
        """Run -> how many records it had seen when it was shown last."""
        self.told: dict[str, str] = {}
        """Connection -> why its runs were last said to wait."""
        self.width = 0
        """Of the line that stands on the terminal."""
        self.thread = threading.Thread(target=self._follow, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.over.set()
        self.thread.join()
        self._clear()
        with suppress(BridgeError):
            for run in self.look():
                self._tell(run)

    def _follow(self) -> None:
        # Only a step ahead is shown: a run that waits for its vendor would fill the screen.
        began = time.monotonic()
        while not self.over.wait(LOOK_SECONDS):
            try:
                runs = self.look()
            except BridgeError:
                continue  # whoever does the work says what is wrong
            for run in runs:
                self._tell(run)
                if run.seen != self.seen.get(run.run, 0):
                    self.seen[run.run] = run.seen
                    self._show(run, time.monotonic() - began)

    def _tell(self, run: RunProgress) -> None:
        """Say why a run waits: each reason once, and again when it has changed."""
        reason = run.waits.partition(", because ")[2]  # before it stands until when, ever anew
        if reason and reason != self.told.get(run.connection):
            self.told[run.connection] = reason
            self._clear()
            say(run.waits, err=True)

    def _clear(self) -> None:
        if self.width:
            say_over("", width=self.width)
            self.width = 0

    def _show(self, run: RunProgress, seconds: float) -> None:
        line = (
            f"{run.connection} {run.entity}: {run.seen} seen on {counted(run.pages, 'page')}, "
            f"{run.differed} differ, {seconds:.0f} s"
        )
        if not sys.stderr.isatty():
            say(line, err=True)
            return
        say_over(line, width=self.width)
        self.width = len(line)
