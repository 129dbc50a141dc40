"""All that connectors see of HTTP: how they call, and what they are answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from bridge.core.model.clocks import ClocksApart
from bridge.errors import RemoteError

if TYPE_CHECKING:  # the library is not loaded to know what a system can do
    from requests import PreparedRequest

Request: TypeAlias = "PreparedRequest"
Auth: TypeAlias = "Callable[[PreparedRequest], PreparedRequest]"
"""Puts a connector's credentials on a request, whatever their grammar."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer."""

    status: int
    headers: Mapping[str, str]
    """Names are lower-case."""
    body: Any
    """The parsed JSON; None when there was no body."""
    sent_at: datetime
    """When the request was sent, in our clock."""
    clocks: ClocksApart
    """How far our clock is ahead of the vendor's."""

    @property
    def skew(self) -> timedelta:
        """Return what, added to a time of the vendor's, gives an upper bound in our clock."""
        return self.clocks.most


class Caller(Protocol):
    """Calls one connection's API, as `Http` does."""

    def request(
        self,
        method: str,
        path_or_url: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        write: bool,
        auth: Auth | None,
        errors: Mapping[int, type[RemoteError]] | None = None,
    ) -> Answer:
        """Make one call, as `Http.request` has it."""

    def now(self) -> datetime:
        """Return the present time."""
