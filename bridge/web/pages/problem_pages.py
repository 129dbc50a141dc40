"""Problems: work that was set aside, by cause; freed or thrown away after a look at what it is."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from bridge.core.model.counting import counted
from bridge.errors import UnknownName
from bridge.operations import parked
from bridge.operations.desk import Desk
from bridge.operations.parked import CauseGroup, Choice
from bridge.operations.permissions import Permission
from bridge.web.pages import visitor

pages: Final = Blueprint("problems", __name__, url_prefix="/problems")
ACTS: Final = {"retry": "Free", "discard": "Throw away"}


@pages.get("")
@visitor.needs(Permission.SEE)
def listing() -> str:
    """Show what is set aside, by cause and connection, the largest group first."""
    desk = visitor.desk()
    return render_template(
        "problems.html", groups=parked.groups(desk), now=desk.now(), command="bridge parked list"
    )


@pages.get("/<code>/<act>")
@visitor.needs(Permission.TEND_TICKETS)
def preview(code: str, act: str) -> str:
    """Show what an act would be done to, and nothing is done."""
    desk = visitor.desk()
    groups = _named(desk, code, act)
    return render_template(
        "problem_act.html",
        act=act,
        code=code,
        verb=ACTS[act],
        number=sum(group.parked.count for group in groups),
        groups=groups,
        now=desk.now(),
        command=f"bridge parked {act} {code}",
    )


@pages.post("/<code>/<act>")
@visitor.needs(Permission.TEND_TICKETS)
def do(code: str, act: str) -> Response:
    """Free all that is set aside with this code, or throw it away."""
    desk = visitor.desk()
    _named(desk, code, act)
    if act == "retry":
        done = parked.retry(desk, Choice(cause=code))
        desk.announce()
        flash(f"{counted(done, 'piece')} of work {'is' if done == 1 else 'are'} under way again")
    else:
        done = parked.discard(desk, Choice(cause=code))
        flash(f"{counted(done, 'piece')} of work {'is' if done == 1 else 'are'} thrown away")
    return redirect(url_for("problems.listing"), 303)


def _named(desk: Desk, code: str, act: str) -> list[CauseGroup]:
    """Return the groups with a code. Raises UnknownName for it, or for the act."""
    groups = [group for group in parked.groups(desk) if group.parked.code == code]
    if act not in ACTS or not groups:
        raise UnknownName(f"nothing is set aside with {code} (any more), or cannot be {act}")
    return groups
