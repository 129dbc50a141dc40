"""Connections: a list with two marks each, one with all that is known of it, pause and resume."""

from __future__ import annotations

from typing import Any, Final

from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.wrappers import Response as AnyResponse

from bridge.errors import UnknownName
from bridge.operations import connection, connection_sheets
from bridge.operations.connection_sheets import TROUBLED
from bridge.operations.permissions import Permission
from bridge.web.pages import overview_page, visitor
from bridge.web.pages.living import living

pages: Final = Blueprint("connections", __name__, url_prefix="/connections")
PAGE_SIZE: Final = 50
LONGEST_FILTER: Final = 200
HEALTHS: Final = (TROUBLED, "ok", "failing", "trying", "paused", "stopped", "never called")
ACTS: Final = {"pause": "Pause", "resume": "Resume"}
RECEIVER: Final = "RECEIVER"
"""Of the application's configuration: the address at which vendors reach the receiver."""


@pages.get("")
@visitor.needs(Permission.SEE)
def listing() -> Response:
    """Show connections by name; to a page that is open already, the table alone, if it moved."""
    given = {
        name: request.args.get(name, "").strip()[:LONGEST_FILTER] for name in ("text", "health")
    }
    after = request.args.get("after", "")[:LONGEST_FILTER]
    desk = visitor.desk()
    found = connection_sheets.page(
        desk,
        overview_page.recent(desk),
        text=given["text"],
        health=given["health"],
        after=after,
        limit=PAGE_SIZE,
    )
    kept: dict[str, Any] = {name: value for name, value in given.items() if value}
    return living(
        "connections",
        page=found,
        given=given,
        kept=kept,
        healths=HEALTHS,
        began=bool(after),
        here=url_for("connections.listing", **kept, after=after or None),
        now=desk.now(),
        command="bridge status",
    )


@pages.get("/<name>")
@visitor.needs(Permission.SEE)
def one(name: str) -> str:
    """Show one connection: how it is, what it can do, and how its webhooks are set up."""
    desk = visitor.desk()
    shown, here = overview_page.recent(desk), url_for("connections.one", name=name)
    sheet, way = connection_sheets.sheet(desk, shown, name), overview_page.ways(desk, shown)
    return render_template(
        "connection.html",
        sheet=sheet,
        troubles=[(each, to if (to := way(each)) != here else "") for each in sheet.troubles],
        receiver=current_app.config[RECEIVER],
        now=desk.now(),
        command=f"bridge connection show {name}",
    )


@pages.get("/<name>/<act>")
@visitor.needs(Permission.TEND_CONNECTIONS)
def preview(name: str, act: str) -> str:
    """Show what pausing or resuming is about, and nothing is done."""
    return render_template(
        "connection_act.html",
        act=act,
        verb=_verb(act),
        look=connection.look(visitor.desk(), name),
        command=f"bridge connection {act} {name}",
    )


@pages.post("/<name>/<act>")
@visitor.needs(Permission.TEND_CONNECTIONS)
def do(name: str, act: str) -> AnyResponse:
    """Pause or resume a connection."""
    desk, _verb_is_known = visitor.desk(), _verb(act)
    if act == "pause":
        connection.pause(desk, name, request.form.get("why", "").strip()[:LONGEST_FILTER])
        flash(f"{name} is paused: nothing is read from it or written to it until it is resumed")
    else:
        connection.resume(desk, name)
        desk.announce()
        flash(f"{name} is in use again")
    overview_page.forget()
    return redirect(url_for("connections.one", name=name), 303)


def _verb(act: str) -> str:
    if act not in ACTS:
        raise UnknownName(f"a connection can be paused and resumed, and not {act}")
    return ACTS[act]
