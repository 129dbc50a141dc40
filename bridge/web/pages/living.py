"""Pages with a part that a page which is open already fetches again, now and then."""

from __future__ import annotations

import hashlib

from flask import Response, make_response, render_template, request


def living(name: str, **parts: object) -> Response:
    """Return a page, or its living part, which an open page fetches again, if it has moved."""
    if not request.headers.get("HX-Request"):
        return make_response(render_template(f"{name}.html", **parts))
    answer = make_response(render_template(f"{name}_living.html", **parts))
    answer.set_etag(hashlib.sha256(answer.get_data()).hexdigest()[:32])
    answer.make_conditional(request)
    return answer
