"""The hand behind a sandbox: a JSON API under `/_control/` that plays the humans and sets what goes wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from bridge.sandbox.vendor_app import Sandbox

Verb = Callable[["Sandbox", Mapping[str, Any]], Any]


def answer(sandbox: Sandbox, request: Request) -> Response:
    """Answer one control request; 404 names the routes, 400 what is wrong."""
    route = f"{request.method} {request.path.removeprefix('/_control/').strip('/')}"
    verb = _ROUTES.get(route)
    if verb is None:
        return _json({"error": f"no {route}; allowed: {', '.join(_ROUTES)}"}, 404)
    try:
        given = (
            request.args.to_dict()
            if request.method == "GET"
            else json.loads(request.get_data() or b"{}")
        )
        return _json({"data": verb(sandbox, given)})
    except (KeyError, TypeError, ValueError) as error:
        return _json({"error": f"{type(error).__name__}: {error}"}, 400)
    except Exception as error:
        status = getattr(error, "status", None)
        if status is None:
            raise
        return _json({"error": str(error)}, status)


def _faults(sandbox: Sandbox, given: Mapping[str, Any]) -> Any:
    if given:
        sandbox.faults.set({} if given == {"none": True} else given)
    return {"shares": sandbox.faults.shares, "counts": dict(sandbox.faults.counts)}


def _options(sandbox: Sandbox, given: Mapping[str, Any]) -> Any:
    sandbox.configure(given)
    return sandbox.options


def _delete(sandbox: Sandbox, given: Mapping[str, Any]) -> Any:
    sandbox.delete(given["id"])
    return None


_ROUTES: Mapping[str, Verb] = {
    "GET tickets": lambda sandbox, _: sandbox.tickets(),
    "GET records": lambda sandbox, given: sandbox.records(given["entity"]),
    "POST tickets": lambda sandbox, given: sandbox.create(given),
    "POST edit": lambda sandbox, given: sandbox.edit(given["id"], given["fields"]),
    "POST delete": _delete,
    "POST message": lambda sandbox, given: sandbox.message(
        given["id"], given["text"], float(given.get("seconds_ago", 0))
    ),
    "POST populate": lambda sandbox, given: sandbox.populate(
        int(given["n"]), int(given.get("seed", 0))
    ),
    "GET journal": lambda sandbox, given: [
        e.row() for e in sandbox.journal.since(int(given.get("since", 0)))
    ],
    "GET description": lambda sandbox, _: sandbox.description(),
    "GET faults": _faults,
    "POST faults": _faults,
    "GET options": _options,
    "POST options": _options,
    "GET waiting": lambda sandbox, _: sandbox.outbox.waiting,
    "POST flush": lambda sandbox, given: sandbox.outbox.flush(
        everything=bool(given.get("everything"))
    ),
}


def _json(value: Any, status: int = 200) -> Response:
    return Response(json.dumps(value), status=status, content_type="application/json")
