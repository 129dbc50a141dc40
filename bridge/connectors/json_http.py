"""The base of every connector of a JSON API: how it calls, and what it refuses before any call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from bridge.connectors.contract import Connector, Draft, Parsed
from bridge.connectors.parsing import event_name, generic_hint, ignored_event
from bridge.core.model.syncs import Connection
from bridge.core.model.values import Raw, Ref
from bridge.errors import RemoteError, Unavailable, Unsupported
from bridge.http.caller import Answer, Caller, Request


class JsonHttpConnector(Connector):
    """A connector that calls through `Http`, with a bearer token unless it overrides `_auth`."""

    ERRORS: ClassVar[Mapping[int, type[RemoteError]]] = {}
    """HTTP status -> error class, where the system means another thing by it than most do."""

    def __init__(self, connection: Connection, http: Caller) -> None:
        super().__init__(connection)
        self._http = http

    def parse(self, headers: Mapping[str, str], body: Any) -> Parsed:  # noqa: ARG002 - a hint has none of its own
        """Read a generic hint, all that comes where the vendor itself sends no webhooks."""
        return generic_hint(body, self.CAPABILITIES) or ignored_event(
            event_name(body, "event"), self.IGNORED
        )

    def _call(
        self,
        method: str,
        path: str,
        *,
        write: bool = False,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
    ) -> Answer:
        return self._http.request(
            method,
            path,
            params=params,
            json=json,
            write=write,
            auth=self._auth,
            errors=self.ERRORS,
        )

    def _auth(self, request: Request) -> Request:
        key = self.connection.credentials["api_key"].reveal()
        request.headers["Authorization"] = f"Bearer {key}"
        return request

    def _check_entity(self, entity: str) -> None:
        """Refuse an entity that the system does not have."""
        if entity not in self.CAPABILITIES:
            raise Unsupported(f"{self.NAME} has no {entity}")

    def _check_create(self, draft: Draft) -> None:
        """Refuse a draft with a key that was never declared for creating."""
        self._check_entity(draft.entity)
        writable = self.CAPABILITIES[draft.entity].through_doors(draft.values).writable
        undeclared = sorted(
            key for key in draft.values if key not in writable or not writable[key].on_create
        )
        if undeclared:
            raise Unsupported(f"{self.NAME} takes no {', '.join(undeclared)} in a create")

    def _check_update(self, ref: Ref, verb: str, values: Mapping[str, Raw]) -> None:
        """Refuse a verb, or a key for it, that was never declared."""
        self._check_entity(ref.entity)
        able = self.CAPABILITIES[ref.entity].through_doors(values)
        declared = {known.name: {*known.writes, *known.also} for known in able.verbs}
        if not values or not set(values) <= declared.get(verb, set()):
            raise Unsupported(
                f"{self.NAME} cannot change a {ref.entity} by {verb} of {sorted(values)}"
            )

    def _unavailable(self, what: str, status: int | None = None) -> Unavailable:
        """Return the error for an answer that is not what the vendor documents."""
        return Unavailable(self.connection.name, what, status=status)
