"""Runs: comparisons, imports, mapping changes and undos; each with its records; what is held."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.core.model.counting import counted
from bridge.core.model.outcome_codes import Code
from bridge.errors import NotPossible, UnknownName
from bridge.operations import plans, run_acts, run_sheets, run_states, undos
from bridge.operations.desk import Desk
from bridge.operations.permissions import Permission
from bridge.web.pages import overview_page, visitor
from bridge.web.pages.living import living

pages: Final = Blueprint("runs", __name__, url_prefix="/runs")
PAGE_SIZE: Final = 50
SHOWN_HELD: Final = 50
"""So many held writes are shown, and let through, at once."""
LARGEST_NUMBER: Final = 2**31 - 1
"""The databases know no larger runs."""


@pages.get("")
@visitor.needs(Permission.SEE)
def listing() -> Response:
    """Show the newest runs of a kind, and what is held; to an open page the list alone."""
    desk = visitor.desk()
    kind = request.args.get("kind", "")
    kind = kind if kind in run_sheets.KINDS else ""
    before = visitor.number_given("before")
    found = run_states.newest(
        desk, PAGE_SIZE + 1, before=before, kinds=run_sheets.KINDS.get(kind, ())
    )
    kept: dict[str, Any] = {"kind": kind} if kind else {}
    kinds = [f"--kind {each}" for each in run_sheets.KINDS.get(kind, ())]
    return living(
        "runs",
        runs=found[:PAGE_SIZE],
        following=found[PAGE_SIZE - 1].id if len(found) > PAGE_SIZE else None,
        kind=kind,
        kinds=list(run_sheets.KINDS),
        kept=kept,
        held=_held(desk),
        began=before is not None,
        here=url_for("runs.listing", before=before, **kept),
        now=desk.now(),
        command=" ".join(["bridge runs", *kinds]),
    )


def _held(desk: Desk) -> dict[str, int]:
    """Return how many writes are held as unsafe, by connection."""
    parked = overview_page.recent(desk).summary.parked
    return {group.connection: group.count for group in parked if group.code is Code.WRITE_UNSAFE}


@pages.get("/<int:number>")
@visitor.needs(Permission.SEE)
def one(number: int) -> Response:
    """Show one run with a page of its records; to an open page its progress alone."""
    desk = visitor.desk()
    given = {name: request.args.get(name, "") for name in ("show", "state")}
    after = visitor.number_given("after")
    found = run_sheets.sheet(
        desk,
        min(number, LARGEST_NUMBER),
        kind=given["show"],
        state=given["state"],
        after=after or 0,
        limit=PAGE_SIZE,
    )
    kept: dict[str, Any] = {
        **({"show": found.kind} if given["show"] and found.kind else {}),
        **({"state": given["state"]} if given["state"] in run_sheets.STATES else {}),
    }
    return living(
        "run",
        sheet=found,
        kept=kept,
        states=run_sheets.STATES,
        began=after is not None,
        now=desk.now(),
        command=f"bridge runs show {number}",
    )


@pages.get("/<int:number>/<act>")
@visitor.needs(Permission.WRITE_MANY)
def preview(number: int, act: str) -> str:
    """Show what pausing, resuming or taking back a run means, and nothing is done."""
    desk, number = visitor.desk(), min(number, LARGEST_NUMBER)
    if act == "undo":
        return render_template(
            "run_undo.html", look=undos.look(desk, number), command=f"bridge undo {number}"
        )
    if act not in {"pause", "resume"}:
        raise UnknownName(f"a run can be paused, resumed and taken back, and not {act}")
    look = run_acts.preview_pause if act == "pause" else run_acts.preview_resume
    return render_template(
        "run_act.html",
        act=act,
        verb=act.capitalize(),
        look=look(desk, number),
        command=f"bridge runs {act} {number}",
    )


@pages.post("/<int:number>/<act>")
@visitor.needs(Permission.WRITE_MANY)
def do(number: int, act: str) -> AnyResponse:
    """Pause a run, let it go on, or take it back."""
    desk, number = visitor.desk(), min(number, LARGEST_NUMBER)
    if act == "undo":
        delete = request.form.get("delete_created") == "yes"
        running = undos.start_by_workers(desk, number, delete_created=delete)
        flash(f"Run {number} is being taken back: this is how far that is")
        return redirect(url_for("runs.one", number=running.id), 303)
    if act == "pause":
        run_acts.pause(desk, number)
        flash(f"Run {number} is paused: within seconds it writes nothing more")
    elif act == "resume":
        run_acts.resume(desk, number)
        flash(f"Run {number} goes on")
    else:
        raise UnknownName(f"a run can be paused, resumed and taken back, and not {act}")
    return redirect(url_for("runs.one", number=number), 303)


@pages.get("/held/<name>")
@visitor.needs(Permission.SEE)
def held(name: str) -> str:
    """Show what is held as unsafe at a connection, and what letting it through means."""
    found = plans.held_writes(visitor.desk(), name)
    return render_template(
        "held.html",
        name=name,
        held=found[:SHOWN_HELD],
        more=max(0, len(found) - SHOWN_HELD),
        numbers=" ".join(str(write.id) for write in found[:SHOWN_HELD]),
        command=f"bridge apply --held {name}",
    )


@pages.post("/held/<name>")
@visitor.needs(Permission.WRITE_MANY)
def approve(name: str) -> AnyResponse:
    """Let just those held writes through, once, that were looked at."""
    desk = visitor.desk()
    seen = set(request.form.get("numbers", "").split())
    wanted = [write for write in plans.held_writes(desk, name) if str(write.id) in seen]
    if not wanted:
        raise NotPossible(f"nothing of that is held at {name} any more; look again")
    freed = plans.release_held(desk, name, wanted)
    overview_page.forget()
    flash(f"{counted(freed, 'write')} to {name} let through, once")
    return redirect(url_for("runs.listing"), 303)
