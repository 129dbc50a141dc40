"""An answer that is known only once a delivery is committed, and needs no thread to wait for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, wait
from typing import Any, Final

import orjson
from flask import Response

LATE: Final = "bridge.late"
"""Where a server that waits by itself finds the answer for which to wait: a list, empty at first.

Any other server, which has no such list in its environment, waits in the thread that called it.
"""

HARDENED: Final = (("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store"))
"""Headers of every answer."""

Said = tuple[Mapping[str, str], int, Mapping[str, str]]
"""What is answered: JSON, a status and headers."""


class LateAnswer(Response):
    """Waits for `begun`, at most `patience` seconds; then `answer` says what is answered."""

    def __init__(self, begun: Future[Any], patience: float, answer: Callable[[], Said]) -> None:
        super().__init__(headers=HARDENED, mimetype="application/json")
        self.begun = begun
        self.patience = patience
        self._answer = answer

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Answer, or leave it to a server that waits by itself."""
        late = environ.get(LATE)
        if late is not None:
            late.append(self)
            return ()
        if not self.begun.done():
            wait([self.begun], self.patience)
        self.status_code, headers, payload = self.known()
        self.headers.update(headers)
        self.set_data(payload)
        return super().__call__(environ, start_response)

    def known(self) -> tuple[int, list[tuple[str, str]], bytes]:
        """Return status, headers and body of what is answered, however far it has come."""
        said, status, headers = self._answer()
        return status, [*self.headers, *headers.items()], orjson.dumps(said) + b"\n"
