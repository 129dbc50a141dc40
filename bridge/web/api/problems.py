"""What goes wrong, as RFC 9457 has it: `application/problem+json` with an outcome code."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from flask import Flask, Response, request
from marshmallow import fields
from werkzeug.exceptions import HTTPException

from bridge.core.model.outcome_codes import Code
from bridge.core.model.outcome_meanings import MEANINGS
from bridge.errors import BridgeError, Busy, ConfigError, LedgerError, NotAccepted, UnknownName
from bridge.observability.visible_text import visible_json
from bridge.operations.acts_once import KeyTaken
from bridge.operations.programs_json import json_text
from bridge.web.api.api_schemas import AnswerSchema

log = logging.getLogger(__name__)

PROBLEM_TYPE: Final = "application/problem+json"
SOON: Final = 1
"""Seconds after which it is worth asking again for what somebody else is at work on."""
LATER: Final = 5
"""The same where the ledger cannot be used."""

OURS: Final[tuple[tuple[type[BridgeError], int, Code, int | None], ...]] = (
    (LedgerError, 503, Code.LEDGER, LATER),
    (UnknownName, 404, Code.API_ABSENT, None),
    (KeyTaken, 409, Code.API_KEY, None),
    (Busy, 409, Code.API_NOT_POSSIBLE, SOON),
    (BridgeError, 409, Code.API_NOT_POSSIBLE, None),
)
"""What each of our errors is answered with: status, code, and when to ask again."""


class Refusal(Exception):
    """A request is not answered, or an act not done: an HTTP status, an outcome code, the facts."""

    def __init__(
        self, status: int, code: Code, facts: str, *, retry_after: float | None = None
    ) -> None:
        super().__init__(facts)
        self.status, self.code, self.facts, self.retry_after = status, code, facts, retry_after


class ProblemSchema(AnswerSchema):
    """What a program is told of a problem."""

    type = fields.String(
        required=True, metadata={"description": "Address of the outcome code's meaning"}
    )
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True, metadata={"description": "What happened this time"})
    code = fields.String(required=True, metadata={"description": "Stable outcome code"})
    do = fields.String(required=True, metadata={"description": "What to do about it"})
    errors = fields.Raw(metadata={"description": "What is wrong, by place in the request"})
    problems = fields.List(
        fields.String(), metadata={"description": "What is wrong with files, `file:line: …`"}
    )


def problem(
    status: int,
    code: Code,
    detail: str = "",
    *,
    retry_after: float | None = None,
    **more: Any,
) -> Response:
    """Return the answer for what went wrong."""
    meaning = MEANINGS[code]
    told = {
        "type": f"{request.script_root}/outcomes/{code}",
        "title": meaning.title,
        "status": status,
        "detail": detail or meaning.happened,
        "code": str(code),
        "do": meaning.do,
        **more,
    }
    answer = Response(visible_json(json_text(told)), status, content_type=PROBLEM_TYPE)
    if status == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="bridge"'
    if retry_after is not None:
        answer.headers["Retry-After"] = str(max(1, math.ceil(retry_after)))
    return answer


def of_error(error: Exception) -> Response:
    """Return the answer for an error; none shows the inside."""
    if isinstance(error, Refusal):
        if error.status in {401, 403}:
            about = {
                "code": str(error.code),
                "at": request.endpoint,
                "address": request.remote_addr,
            }
            log.warning("refused: %s", error.facts, extra=about)
        return problem(error.status, error.code, error.facts, retry_after=error.retry_after)
    if isinstance(error, HTTPException):
        return _of_http(error)
    if isinstance(error, BridgeError):
        return _of_ours(error)
    log.error("an answer of the API failed; it was answered with 500", exc_info=error)
    return problem(500, Code.DEFECT)


def _of_ours(error: BridgeError) -> Response:
    if isinstance(error, NotAccepted):
        # Its last line tells how to accept it on a command line.
        detail = "this changes something in a doubtful way; `accept` says that it is meant so"
        return problem(409, Code.API_NOT_POSSIBLE, detail, problems=error.problems[:-1])
    if isinstance(error, ConfigError):
        detail = "the files cannot be used as they are"
        return problem(422, Code.API_REQUEST, detail, problems=error.problems)
    status, code, wait = next(each[1:] for each in OURS if isinstance(error, each[0]))
    return problem(status, code, str(error), retry_after=wait)


def _of_http(error: HTTPException) -> Response:
    status = error.code or 500
    code = Code.API_ABSENT if status == 404 else Code.API_REQUEST
    data: Mapping[str, Any] = getattr(error, "data", None) or {}
    more = {"errors": data["messages"]} if "messages" in data else {}
    detail = "" if status == 404 else (error.description or "")
    if more:
        detail = "some of what was given is not as it should be: `errors` says what"
    answer = problem(status, code, detail, **more)
    allowed: Sequence[str] = getattr(error, "valid_methods", None) or ()
    if allowed:
        answer.headers["Allow"] = ", ".join(sorted(allowed))
    return answer


def handle(app: Flask) -> None:
    """Have every error end in a problem."""
    app.register_error_handler(HTTPException, of_error)
    app.register_error_handler(Exception, of_error)
