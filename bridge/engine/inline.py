"""An executor without threads, for where one thing is to happen at a time.

That is in rehearsals, simulations and tests.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar

from bridge.clock import Clock

P = ParamSpec("P")
T = TypeVar("T")

CALL_SECONDS = 0.01
"""How long a call takes on the clock that was given."""


class InlineExecutor(Executor):
    """Makes each call at once, on the caller's thread.

    With a clock, each takes a moment of its time.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Make the call now; what it raised is raised to whoever asks for the result."""
        if self._clock is not None:
            self._clock.sleep(CALL_SECONDS)
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - whoever asks for the result gets it
            future.set_exception(error)
        return future
