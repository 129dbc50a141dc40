"""The application of the API: its addresses, their description, and who may ask what."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from flask import Flask, Response, request
from flask_smorest import Api
from flask_smorest.utils import prepare_response

from bridge.operations.desk import Desk
from bridge.operations.programs_json import json_text
from bridge.operations.recent_overview import RecentOverview
from bridge.web.api import (
    access_routes,
    asker,
    call_routes,
    connection_routes,
    mapping_routes,
    overview_routes,
    problems,
    run_routes,
    ticket_routes,
    trouble_routes,
)
from bridge.web.api.asker import Meter, SignedIn
from bridge.web.api.problems import PROBLEM_TYPE, ProblemSchema

PREFIX: Final = "/api/v1"
"""Below this path the API is, beside the pages."""
LARGEST_BODY: Final = 8 << 20
"""Bytes of a request; all files of the mappings are the largest that anybody sends."""
ROUTES: Final = (
    overview_routes.routes,
    connection_routes.routes,
    ticket_routes.routes,
    trouble_routes.routes,
    call_routes.routes,
    run_routes.routes,
    mapping_routes.routes,
    access_routes.routes,
)
ABOUT: Final = (
    "Every question and act of the pages. Lists are given in parts: `next` of one is `cursor` of "
    "the following. Answers to questions have an ETag. Acts take an `Idempotency-Key`."
)
DESCRIPTION: Final = "api-docs.openapi_json"
HEADERS: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cache-Control", "no-store"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
TRANSPORT: Final = ("Strict-Transport-Security", "max-age=31536000")
"""Where the request came by https, as they always will."""


class BridgeApi(Api):  # type: ignore[misc] # flask-smorest has no types
    """The API as flask-smorest describes it, but for problems, which are RFC 9457's."""

    ERROR_SCHEMA = ProblemSchema
    DEFAULT_ERROR_RESPONSE_NAME = None

    def handle_http_exception(self, error: Any) -> Response:
        """Return a problem."""
        return problems.of_error(error)

    def _register_responses(self) -> None:
        """Describe what goes wrong, by status."""
        for status in HTTPStatus:
            answer: dict[str, Any] = {"description": status.phrase}
            if status >= HTTPStatus.BAD_REQUEST:
                answer["schema"] = ProblemSchema
            prepare_response(answer, self.spec, PROBLEM_TYPE)
            self.spec.components.response(status.name, answer, lazy=True)


def create_service(
    desk: Callable[[], Desk], meter: Meter, signed_in: SignedIn | None = None
) -> Flask:
    """Make the application. `desk` is asked for the bridge as it is, once for each request.

    `meter` counts requests; `signed_in` knows whose browser asks, who may look without a token.
    """
    app = Flask(__name__, static_folder=None)
    app.config.update(
        API_TITLE="Bridge",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        API_SPEC_OPTIONS={
            "info": {"description": ABOUT},
            "security": [{"token": []}],
        },
    )
    app.extensions[overview_routes.RECENT] = RecentOverview()
    asker.guard(app, desk, meter, signed_in)
    problems.handle(app)
    api = BridgeApi(app)
    api.spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
    for routes in ROUTES:
        api.register_blueprint(routes)
    _describe(app, api)

    @app.after_request
    def add_headers(answer: Response) -> Response:
        for name, value in HEADERS:
            answer.headers[name] = value
        if request.is_secure:
            answer.headers.add(*TRANSPORT)
        return answer

    return app


def _describe(app: Flask, api: BridgeApi) -> None:
    """Answer anybody who asks for the description: it tells of the software alone."""

    def description() -> Response:
        told = api.spec.to_dict() | {"servers": [{"url": request.script_root or PREFIX}]}
        return Response(json_text(told), content_type="application/json")

    asker.declare(description, asker.OPEN)
    app.view_functions[DESCRIPTION] = description
