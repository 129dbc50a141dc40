"""The overview: what needs a human, and the map of connections and syncs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from flask import Blueprint, Response, current_app, redirect, request, url_for
from werkzeug.wrappers import Response as Redirect

from bridge.core.model.outcome_codes import Code
from bridge.operations import status
from bridge.operations.desk import Desk
from bridge.operations.needs import needs
from bridge.operations.permissions import Permission
from bridge.operations.status import Overview
from bridge.operations.sync_map import first_looked_at, sync_map
from bridge.operations.trouble import Trouble
from bridge.web.pages import map_drawing, play_pages, visitor
from bridge.web.pages.living import living

pages: Final = Blueprint("overview", __name__)
RECENT: Final = "recent overview"
"""Under this name the application keeps what was found out lately."""
TOUR_DONE: Final = "bridge-tour-done"
YEAR: Final = 365 * 24 * 3600

MOST_PLACES: Final = 24
"""So many connections are on the map and in the list below it; a page of its own has all."""
MOST_NEEDS: Final = 30
VALUES: Final = frozenset({Code.READ_VALUE, Code.READ_IGNORED, Code.READ_FIELD})
"""Codes about what the page of values lists."""


@pages.get("/")
@visitor.needs(Permission.SEE)
def page() -> Response:
    """Show all; to a page that is open already, the living part alone, if anything moved."""
    desk = visitor.desk()
    shown = recent(desk)
    the_map = first_looked_at(sync_map(desk, shown), MOST_PLACES)
    wanting, way = needs(shown), ways(desk, shown)
    return living(
        "overview",
        tour=TOUR_DONE not in request.cookies,
        plays=play_pages.STAGE in current_app.extensions,
        shown=shown,
        needs=[(trouble, way(trouble)) for trouble in wanting[:MOST_NEEDS]],
        more_needs=len(wanting[MOST_NEEDS:]),
        map=the_map,
        more=len(shown.connections) - len(the_map.places),
        drawing=map_drawing.draw(the_map),
        now=shown.at,
        command="bridge status",
    )


@pages.post("/tour")
@visitor.needs(Permission.SEE)
def end_tour() -> Redirect:
    """Leave the tour out in this browser from now on."""
    answer = redirect(url_for("overview.page"), 303)
    answer.set_cookie(
        TOUR_DONE, "1", max_age=YEAR, httponly=True, samesite="Lax", secure=request.is_secure
    )
    return answer


def recent(desk: Desk) -> Overview:
    """Return the overview as it was found out lately, for all who look, as this one may see it."""
    return status.seen_from(desk, current_app.extensions[RECENT].current(desk))


def forget() -> None:
    """Have the overview found out anew: somebody has just changed what it shows."""
    current_app.extensions[RECENT].forget()


def ways(desk: Desk, shown: Overview) -> Callable[[Trouble], str]:
    """Return what says where something can be done about a trouble in these pages; empty: nowhere.

    What is about one connection, such as a wrong secret, leads to its page.
    """
    by_code = {group.code: url_for("problems.listing") for group in shown.summary.parked}
    by_code |= {
        Code.CONFLICT: url_for("conflicts.listing"),
        Code.WRITE_UNSAFE: url_for("runs.listing"),
    }

    def way(trouble: Trouble) -> str:
        if trouble.code in by_code:
            return by_code[trouble.code]
        if trouble.code in VALUES:
            return url_for("values.listing", connection=trouble.connection or None)
        if trouble.connection in desk.config.connections:
            return url_for("connections.one", name=trouble.connection)
        return ""

    return way
