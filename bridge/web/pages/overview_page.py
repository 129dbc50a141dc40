"""The overview: what needs a human, and the map of connections and syncs."""

from __future__ import annotations

import hashlib
from typing import Final

from flask import Blueprint, Response, current_app, make_response, render_template, request, url_for

from bridge.core.model.outcome_codes import Code
from bridge.operations.needs import needs
from bridge.operations.permissions import Permission
from bridge.operations.status import Overview
from bridge.operations.sync_map import sync_map
from bridge.web.pages import map_drawing, visitor

pages: Final = Blueprint("overview", __name__)
RECENT: Final = "recent overview"
"""Under this name the application keeps what was found out lately."""


@pages.get("/")
@visitor.needs(Permission.SEE)
def page() -> Response:
    """Show all; to a page that is open already, the living part alone, if anything moved."""
    desk = visitor.desk()
    shown: Overview = current_app.extensions[RECENT].current(desk)
    the_map = sync_map(desk, shown)
    parts = {
        "shown": shown,
        "needs": needs(shown),
        "ways": _ways(shown),
        "map": the_map,
        "drawing": map_drawing.draw(the_map),
        "now": shown.at,
        "command": "bridge status",
    }
    if not request.headers.get("HX-Request"):
        return make_response(render_template("overview.html", **parts))
    answer = make_response(render_template("overview_living.html", **parts))
    answer.set_etag(hashlib.sha256(answer.get_data()).hexdigest()[:32])
    answer.make_conditional(request)
    return answer


def _ways(shown: Overview) -> dict[str, str]:
    """Return by outcome code where something can be done about it in these pages."""
    problems = {str(group.code): url_for("problems.listing") for group in shown.summary.parked}
    return problems | {str(Code.CONFLICT): url_for("conflicts.listing")}
