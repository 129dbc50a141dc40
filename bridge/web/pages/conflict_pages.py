"""Conflicts: what each side says, side by side; decided by one press, or many at once."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from bridge.core.model.counting import counted
from bridge.errors import Busy, NotPossible, UnknownName
from bridge.operations import conflicts
from bridge.operations.permissions import Permission
from bridge.web.pages import overview_page, visitor
from bridge.web.pages.shown_text import value_text

pages: Final = Blueprint("conflicts", __name__, url_prefix="/conflicts")
SHOWN: Final = 50
"""So many are on one page, the oldest; deciding them brings the next."""
SHOWN_REFUSALS: Final = 5


@pages.get("")
@visitor.needs(Permission.SEE)
def listing() -> str:
    """Show the open conflicts, the oldest first."""
    desk = visitor.desk()
    found = conflicts.list_open(desk)
    return render_template(
        "conflicts.html",
        conflicts=found[:SHOWN],
        more=max(0, len(found) - SHOWN),
        sides=sorted({name for each in found[:SHOWN] for name in each.candidates}),
        now=desk.now(),
        command="bridge conflicts list",
    )


@pages.post("")
@visitor.needs(Permission.TEND_TICKETS)
def decide() -> Response:
    """Take what one side says."""
    given = {name: request.form.get(name, "") for name in ("link", "field", "take")}
    decided = conflicts.resolve(visitor.desk(), given["link"], given["field"], take=given["take"])
    overview_page.forget()
    flash(f"{decided.field} is {value_text(decided.value) or 'nothing'}, as {given['take']} says")
    return redirect(url_for("conflicts.listing"), 303)


@pages.post("/several")
@visitor.needs(Permission.TEND_TICKETS)
def decide_several() -> Response:
    """Take what one side says, for each conflict that is marked, or for all that were shown."""
    take = request.form.get("take", "")
    named = request.form.getlist("shown" if request.form.get("all") else "chosen")[:SHOWN]
    left, desk = [], visitor.desk()
    for link, _, field in (name.partition(" ") for name in named):
        try:
            conflicts.resolve(desk, link, field, take=take)
        except (Busy, NotPossible, UnknownName) as error:
            left.append(str(error))
    overview_page.forget()
    if not named:
        flash("No conflict was marked, so nothing is decided")
    elif done := len(named) - len(left):
        flash(f"{counted(done, 'conflict')} {'is' if done == 1 else 'are'} decided as {take} says")
    for why in left[:SHOWN_REFUSALS]:
        flash(f"Not decided: {why}")
    if more := len(left[SHOWN_REFUSALS:]):
        flash(f"and {counted(more, 'more is', 'more are')} not decided")
    return redirect(url_for("conflicts.listing"), 303)
