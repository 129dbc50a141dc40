"""Play a user: edit at any of the sandboxes, and watch it travel. There without real systems."""

from __future__ import annotations

from typing import Final, cast

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
from werkzeug.wrappers import Response as Redirect

from bridge.operations import playing
from bridge.operations.permissions import Permission
from bridge.operations.playing import VendorStage
from bridge.web.pages import visitor
from bridge.web.pages.living import living

pages: Final = Blueprint("play", __name__, url_prefix="/play")
STAGE: Final = "stage"
"""Under this name the application keeps who plays the vendors; left out: nobody does."""


@pages.get("")
@visitor.needs(Permission.TEND_TICKETS)
def listing() -> str:
    """Show the newest records of one sandbox, to choose from."""
    stage = _stage()
    connection = playing.known(stage, request.args.get("connection", ""))
    return render_template(
        "play.html",
        connection=connection,
        connections=stage.connections(),
        records=stage.records(connection, playing.RECORDS),
        command="bridge status",
    )


@pages.get("/<connection>/<record_id>")
@visitor.needs(Permission.TEND_TICKETS)
def one(connection: str, record_id: str) -> Response:
    """Show what can be done with a record, and how it stands on all sides."""
    stage, desk = _stage(), visitor.desk()
    return living(
        "play_record",
        watched=playing.watch(desk, stage, connection, record_id),
        connection=connection,
        record_id=record_id,
        deeds=stage.deeds(connection),
        longest=playing.LONGEST_TEXT,
        now=desk.now(),
        command=f"bridge ticket {connection}:{record_id}",
    )


@pages.post("/<connection>/<record_id>")
@visitor.needs(Permission.TEND_TICKETS)
def do(connection: str, record_id: str) -> Redirect:
    """Do something as somebody at the sandbox would."""
    given = request.form.get("given", "")
    deed = playing.play(
        visitor.desk(), _stage(), connection, record_id, request.form.get("deed", ""), given
    )
    shown = deed.choices.get(given.strip(), given.strip())
    flash(f"you gave it the {deed.label} {shown} at {connection}: watch it travel")
    return redirect(url_for("play.one", connection=connection, record_id=record_id), 303)


def _stage() -> VendorStage:
    return cast("VendorStage", current_app.extensions[STAGE])
