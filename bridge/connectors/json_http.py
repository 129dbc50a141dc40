"""What the connectors of plain JSON-over-HTTP systems share: calling, and refusing what was never declared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from bridge.connectors.contract import Connector, Draft
from bridge.core.model.syncs import Connection
from bridge.core.model.values import Raw, Ref
from bridge.errors import RemoteError, Unavailable, Unsupported
from bridge.http.client import Answer, Http, Request


class JsonHttpConnector(Connector):
    """A connector that calls its system through `Http`, with a bearer token unless it says otherwise."""

    ERRORS: ClassVar[Mapping[int, type[RemoteError]]] = {}
    """HTTP status -> error class, where the system means another thing by it than most do."""

    def __init__(self, connection: Connection, http: Http) -> None:
        super().__init__(connection)
        self._http = http

    def _call(self, method: str, path: str, *, write: bool = False, **rest: Any) -> Answer:
        return self._http.request(
            method, path, write=write, auth=self._auth, errors=self.ERRORS, **rest
        )

    def _auth(self, request: Request) -> Request:
        request.headers["Authorization"] = (
            "Bearer " + self.connection.credentials["api_key"].reveal()
        )
        return request

    def _known(self, entity: str) -> None:
        if entity not in self.CAPABILITIES:
            raise Unsupported(f"{self.NAME} has no {entity}")

    def _creatable(self, draft: Draft) -> None:
        """Refuse a draft with a key that was never declared for creating."""
        self._known(draft.entity)
        writable = self.CAPABILITIES[draft.entity].writable
        odd = sorted(
            key for key in draft.values if key not in writable or not writable[key].on_create
        )
        if odd:
            raise Unsupported(f"{self.NAME} takes no {', '.join(odd)} in a create")

    def _changeable(self, ref: Ref, verb: str, values: Mapping[str, Raw]) -> None:
        """Refuse a verb or a key that was never declared for changing."""
        self._known(ref.entity)
        allowed = {
            each.name: {*each.writes, *each.also} for each in self.CAPABILITIES[ref.entity].verbs
        }
        if not values or not set(values) <= allowed.get(verb, set()):
            raise Unsupported(
                f"{self.NAME} cannot change a {ref.entity} by {verb} of {sorted(values)}"
            )

    def _odd(self, what: str, status: int | None = None) -> Unavailable:
        return Unavailable(self.connection.name, what, status=status)
