"""The JSON API under `/_control/` of each sandbox: it plays its people and sets its faults."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from werkzeug.wrappers import Request, Response

from bridge.sandbox.exchange import Problem

Verb = Callable[[Mapping[str, Any]], Any]
"""Does what a route is for, with the values that were given."""


def answer(verbs: Mapping[str, Verb], request: Request) -> Response:
    """Answer one control request; 404 names the routes, 400 what is wrong."""
    route = f"{request.method} {request.path.removeprefix('/_control/').strip('/')}"
    verb = verbs.get(route)
    if verb is None:
        return _json({"error": f"no {route}; allowed: {', '.join(verbs)}"}, 404)
    try:
        return _json({"data": verb(_given(request))})
    except KeyError as error:
        return _json({"error": f"{error} is missing, or there is none of this name"}, 400)
    except (TypeError, ValueError) as error:
        return _json({"error": str(error)}, 400)
    except Problem as problem:
        return _json({"error": str(problem)}, problem.status)


def _given(request: Request) -> Mapping[str, Any]:
    if request.method == "GET":
        return request.args.to_dict()
    values: Mapping[str, Any] = json.loads(request.get_data() or b"{}")
    return values


def _json(value: Any, status: int = 200) -> Response:
    """Answer in JSON, each element of a list on a line of its own: people read it, too."""
    rows = value.get("data")
    text = json.dumps(value)
    if isinstance(rows, list) and rows:
        text = '{"data": [\n' + ",\n".join(map(json.dumps, rows)) + "\n]}"
    return Response(text + "\n", status=status, content_type="application/json")
