"""Conflicts: what each side says, side by side; decided for one side by one press."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from bridge.operations import conflicts
from bridge.operations.permissions import Permission
from bridge.web.pages import visitor
from bridge.web.pages.shown_text import value_text

pages: Final = Blueprint("conflicts", __name__, url_prefix="/conflicts")
SHOWN: Final = 50
"""So many are on one page, the oldest; deciding them brings the next."""


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
        now=desk.now(),
        command="bridge conflicts list",
    )


@pages.post("")
@visitor.needs(Permission.TEND_TICKETS)
def decide() -> Response:
    """Take what one side says."""
    given = {name: request.form.get(name, "") for name in ("link", "field", "take")}
    decided = conflicts.resolve(visitor.desk(), given["link"], given["field"], take=given["take"])
    flash(f"{decided.field} is {value_text(decided.value) or 'nothing'}, as {given['take']} says")
    return redirect(url_for("conflicts.listing"), 303)
