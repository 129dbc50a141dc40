"""Calls to vendors, as they are kept for a day to be looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

BY_HAND: Final = "by hand"
"""Why a call was made that no work of a worker's asked for: a command or a page did."""

SEARCH: Final = "search"
"""Why a call was made that looks for a counterpart, or for a record of ours that may be there."""
PROBE: Final = "probe"
"""Why a call was made that tries whether a connection that failed is well again."""


@dataclass(frozen=True, slots=True)
class KeptBodies:
    """What a connection with `keep_bodies` keeps of a call beyond its shape, without secrets."""

    path: str
    """The whole path, with the values of its query."""
    sent: str
    answered: str


@dataclass(slots=True)
class VendorCall:
    """One HTTP call, and what became of it; nothing in it is a credential.

    It is not frozen, for that would make it several times as slow to make, at every call.
    """

    at: datetime
    connection: str
    why: str
    """What asked for it: a kind of work, SEARCH, PROBE or BY_HAND."""
    method: str
    path: str
    """Without the values of its query that may tell of a person."""
    status: int | None
    """None: there was no answer."""
    ms: int
    sent_bytes: int
    received_bytes: int
    code: str = ""
    """Its outcome code; empty: it was answered well."""
    error: str = ""
    """The same in words."""
    link_id: str | None = None
    """The ticket that it was about; None: none that was known, or several."""
    attempt: int = 0
    """Which try of its work it was; 0: it was no work's."""
    retry_after: float | None = None
    """For how many seconds the vendor asked to be left alone."""
    request_id: str = ""
    """The vendor's own name for the call."""
    sent: Mapping[str, str] = field(default_factory=dict)
    """The shape of what was sent: where each value stood -> its kind and length."""
    answered: Mapping[str, str] = field(default_factory=dict)
    kept: KeptBodies | None = None
