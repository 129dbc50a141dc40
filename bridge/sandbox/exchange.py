"""One request to a sandbox, its answer, and the webhook that it may cause."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Request, Response

from bridge.sandbox.journal import Kind
from bridge.sandbox.store import Record


class Problem(Exception):
    """A call is refused; each system puts this in its own envelope."""

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field


@dataclass(slots=True)
class Event:
    """A webhook to send."""

    name: str
    record_id: str
    properties: Mapping[str, Any]


@dataclass(slots=True)
class ReceivedCall:
    """One request, and what the journal is to say of it."""

    request: Request
    kind: Kind = "read"
    entity: str = "ticket"
    id: str = ""
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    record: Record | None = None
    sent: Mapping[str, Any] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    note: str = ""
    events: list[Event] = field(default_factory=list)
    path: str = ""
    """The documented path that it is a call of."""
    undocumented: tuple[str, ...] = ()
    """What of it no document of the vendor's describes."""
    hidden: frozenset[str] = frozenset()
    """Parameters and fields of which this vendor takes no notice."""

    @property
    def query(self) -> MultiDict[str, str]:
        """The query parameters of which the vendor takes notice."""
        given = MultiDict(self.request.args).items(multi=True)
        return MultiDict(pair for pair in given if pair[0] not in self.hidden)

    def body(self) -> dict[str, Any]:
        """Read the fields of the JSON object that was sent, but for hidden ones.

        Raises ValueError.
        """
        value = json.loads(self.request.get_data() or b"{}")
        if not isinstance(value, dict):
            raise ValueError("not an object")  # noqa: TRY004 - one error for everything that is not a JSON object
        self.sent = value
        return {name: given for name, given in value.items() if name not in self.hidden}


def answer(value: Any, status: int = 200) -> Response:
    """Build a JSON answer."""
    return Response(json.dumps(value), status=status, content_type="application/json")
