"""Addresses of the API: questions and acts, each declared with what it needs, takes and answers.

A question is answered with an ETag, and with 304 to who has that answer already. An act may come
with an `Idempotency-Key`: then asking for it twice does it once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import wraps
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from flask import Response, request
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest

from bridge.core.model.outcome_codes import Code
from bridge.observability.visible_text import visible_json
from bridge.operations import acts_once
from bridge.operations.acts_once import GivenAnswer, NamedAct
from bridge.operations.permissions import Permission
from bridge.operations.programs_json import json_text
from bridge.web.api.asker import Asker, current, declare
from bridge.web.api.problems import Refusal

View = Callable[..., Any]
QUESTION_ERRORS: Final = (400, 401, 403, 404, 409, 429, 503)
ACT_ERRORS: Final = (*QUESTION_ERRORS, 413, 422)
KEY_HEADER: Final = "Idempotency-Key"
LONGEST_KEY: Final = 255
JSON: Final = "application/json"
_KEY_PARAMETER: Final = {
    "name": KEY_HEADER,
    "in": "header",
    "description": "Names this act: for 24 hours the same request with it gets the same answer, "
    "and does nothing again",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[!-~]+$"},
}


class _Parser(FlaskParser):
    """Reads requests; JSON that Python itself stumbles over is a bad request as any other."""

    def load_json(self, req: Any, schema: Schema) -> Any:
        try:
            return super().load_json(req, schema)
        except (RecursionError, ValueError) as error:
            raise BadRequest("the body is JSON that goes too deep or has too long a number") from (
                error
            )


class Routes(Blueprint):  # type: ignore[misc] # flask-smorest has no types
    """Some addresses of the API."""

    ARGUMENTS_PARSER = _Parser()

    def __init__(self, name: str, about: str) -> None:
        super().__init__(name, __name__, description=about)


def question(
    blueprint: Routes,
    rule: str,
    needs: Permission,
    answer: type[Schema],
    *,
    query: type[Schema] | None = None,
    whole: bool = False,
) -> Callable[[View], View]:
    """Declare a question. The view gets who asks, what `query` has made of the query, the path.

    `whole`: it is about the whole bridge, and not for a token that is for some connections.
    """

    def as_route(view: View) -> View:
        @wraps(view)
        def answered(*parsed: Any, **path: Any) -> Response:
            found = json_answer(view(current(), *parsed, **path))
            if isinstance(after := getattr(found, "next_cursor", None), str):
                found.headers["Link"] = f'<{_next_address(after)}>; rel="next"'
            found.set_etag(hashlib.sha256(found.get_data()).hexdigest()[:32])
            found.make_conditional(request)
            return found

        route = blueprint.response(200, answer)(answered)
        route = _with_others(blueprint, route, (304, *QUESTION_ERRORS))
        if query is not None:
            route = blueprint.arguments(query, location="query", unknown=RAISE)(route)
        declare(route, needs, whole=whole)
        blueprint.route(rule, methods=["GET"], endpoint=view.__name__)(route)
        return view

    return as_route


def act(
    blueprint: Routes,
    rule: str,
    needs: Permission,
    answer: type[Schema],
    *,
    body: type[Schema] | None = None,
    whole: bool = False,
    once: bool = True,
) -> Callable[[View], View]:
    """Declare an act. The view gets who asks, what `body` has made of the body, the path.

    `once`: it takes an `Idempotency-Key`. (Not one that changes nothing, or answers a secret.)
    """

    def as_route(view: View) -> View:
        @wraps(view)
        def done(*parsed: Any, **path: Any) -> Response:
            asker = current()
            named = _named(asker) if once else None
            if named is None:
                return json_answer(view(asker, *parsed, **path))
            return _once(asker, named, lambda: view(asker, *parsed, **path))

        route = blueprint.response(200, answer)(done)
        route = _with_others(blueprint, route, ACT_ERRORS)
        if body is not None:
            route = blueprint.arguments(body, location="json", unknown=RAISE)(route)
        if once:
            route = blueprint.doc(parameters=[_KEY_PARAMETER])(route)
        declare(route, needs, whole=whole)
        blueprint.route(rule, methods=["POST"], endpoint=view.__name__)(route)
        return view

    return as_route


class ListPart(dict[str, Any]):
    """A part of a list: its rows, and the cursor of the next part."""

    def __init__(self, rows: Sequence[Any], after: str | None) -> None:
        super().__init__(rows=rows, next=after)


class JsonResponse(Response):
    """An answer in JSON; `next_cursor`: of the part of a list that follows."""

    next_cursor: str | None = None


def part(rows: Sequence[Any], limit: int, cursor_of: Callable[[Any], object]) -> ListPart:
    """Return a part of a list of which one row more than `limit` was asked for."""
    shown = list(rows[:limit])
    return ListPart(shown, str(cursor_of(shown[-1])) if len(rows) > limit else None)


def json_answer(value: Any, status: int = 200) -> JsonResponse:
    """Return a value as the command line's `--json` has it."""
    answer = JsonResponse(visible_json(json_text(value)), status, content_type=JSON)
    if isinstance(value, ListPart):
        answer.next_cursor = value["next"]
    return answer


def _with_others(blueprint: Routes, route: View, statuses: Sequence[int]) -> View:
    """Document the other answers, by the names under which the API describes them."""
    for status in statuses:
        route = blueprint.alt_response(status, response=HTTPStatus(status).name)(route)
    return route


def _next_address(cursor: str) -> str:
    query = request.args.to_dict() | {"cursor": cursor}
    return f"{request.script_root}{request.path}?{urlencode(query)}"


def _named(asker: Asker) -> NamedAct | None:
    key = request.headers.get(KEY_HEADER)
    if key is None:
        return None
    if not 1 <= len(key) <= LONGEST_KEY or not all("!" <= char <= "~" for char in key):
        what = f"{KEY_HEADER} has 1 to {LONGEST_KEY} characters of ASCII that can be seen"
        raise Refusal(400, Code.API_REQUEST, what)
    return acts_once.named(asker.name, key, [request.full_path, request.get_data()])


def _once(asker: Asker, named: NamedAct, do: Callable[[], Any]) -> Response:
    if (given := acts_once.begin(asker.desk, named)) is not None:
        again = JsonResponse(given.body, given.status, content_type=JSON)
        again.headers["Idempotent-Replayed"] = "true"
        return again
    try:
        answer = json_answer(do())
    except Exception:
        # Nothing was done, so that it may be tried again when things are otherwise.
        acts_once.give_up(asker.desk, named)
        raise
    acts_once.end(asker.desk, named, GivenAnswer(200, answer.get_data(as_text=True)))
    return answer
