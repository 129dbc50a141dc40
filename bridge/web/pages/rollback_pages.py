"""Going back to an older revision: as a draft like any other, or with what was written since."""

from __future__ import annotations

from typing import Final

from flask import (
    Blueprint,
    Response,
    current_app,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.wrappers import Response as AnyResponse

from bridge.operations import drafts, revision_runs, revisions
from bridge.operations.file_differences import differences
from bridge.operations.permissions import Permission
from bridge.operations.undo_jobs import UndoJobs
from bridge.web.pages import visitor
from bridge.web.pages.mapping_pages import cut

pages: Final = Blueprint("rollback", __name__, url_prefix="/mappings/rollback")
UNDOS: Final = "undo jobs"
SHOWN_KEPT: Final = 100
"""Fields that were left as they are, on one page."""


def jobs() -> UndoJobs:
    """Return what this process takes back beside its requests."""
    found: UndoJobs = current_app.extensions[UNDOS]
    return found


@pages.get("/<int:number>")
@visitor.needs(Permission.CHANGE_MAPPINGS)
def preview(number: int) -> Response:
    """Show what going back would mean, and how far a way back is that was begun."""
    desk, job = visitor.desk(), jobs().job
    parts = {
        "number": number,
        "job": job if job is not None and job.number == number else None,
        "kept": [kept for each in job.taken for kept in each.kept][:SHOWN_KEPT] if job else [],
        "now": desk.now(),
    }
    if request.headers.get("HX-Request"):
        return make_response(render_template("undo_progress.html", **parts))
    meant, newest = revisions.get(desk, number), revisions.get(desk)
    page = render_template(
        "rollback.html",
        changes=cut(differences(newest.files, meant.files)),
        newest=newest.number,
        runs=revision_runs.since(desk, number),
        published=desk.config.from_ledger,
        command=f"bridge mappings rollback {number} --undo",
        **parts,
    )
    return make_response(page)


@pages.post("/<int:number>")
@visitor.needs(Permission.CHANGE_MAPPINGS)
def begin(number: int) -> AnyResponse:
    """Make a draft of an older revision, or begin to take back what was written since as well."""
    desk = visitor.desk()
    if request.form.get("do") != "undo":
        draft = drafts.restarted(desk, number)
        return redirect(url_for("drafts.one", number=draft.id), 303)
    jobs().begin(
        desk,
        number,
        accept=bool(request.form.get("accept")),
        override_unsafe=bool(request.form.get("override_unsafe")),
    )
    return redirect(url_for("rollback.preview", number=number), 303)
