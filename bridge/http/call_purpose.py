"""Why this thread calls a vendor just now, for whoever looks at the calls later."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from bridge.core.model.vendor_call import BY_HAND


@dataclass(slots=True)
class CallPurpose:
    """Why calls are made, and for which ticket."""

    why: str = BY_HAND
    link_id: str | None = None
    attempt: int = 0


class _Current(threading.local):
    purpose = CallPurpose()


_current = _Current()


def current() -> CallPurpose:
    """Return why this thread calls."""
    return _current.purpose


class Calling:
    """Lets all calls that this thread makes within it be for a purpose."""

    def __init__(self, purpose: CallPurpose) -> None:
        self._purpose = purpose

    def __enter__(self) -> None:
        self._purpose, _current.purpose = _current.purpose, self._purpose

    def __exit__(self, *_error: object) -> None:
        _current.purpose = self._purpose
