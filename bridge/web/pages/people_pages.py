"""People: who is known on which connection, who is not, and the row by which somebody would be."""

from __future__ import annotations

import shlex
from typing import Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from bridge.operations import agent_rows, agents, revisions
from bridge.operations.agent_rows import AgentRow
from bridge.operations.desk import Desk
from bridge.operations.permissions import Permission
from bridge.web.pages import visitor

pages: Final = Blueprint("people", __name__, url_prefix="/people")
PAGE_SIZE: Final = 50
SHOWN_UNMAPPED: Final = 50
LOOKED_AT: Final = 20_000
"""So many fields of tickets are looked at for people whom nobody knows."""
WAITING: Final = 20
LONGEST: Final = 200


@pages.get("")
@visitor.needs(Permission.SEE)
def listing() -> str:
    """Show whom nobody knows, and below everybody who is known."""
    desk, after = visitor.desk(), request.args.get("after", "")
    text = request.args.get("text", "").strip()[:LONGEST]
    unmapped = agents.unmapped(desk, LOOKED_AT)
    return render_template(
        "people.html",
        unmapped=unmapped[:SHOWN_UNMAPPED],
        more=max(0, len(unmapped) - SHOWN_UNMAPPED),
        looked_at=LOOKED_AT,
        page=agents.page(desk, PAGE_SIZE, after=after, text=text),
        text=text,
        kept={"text": text} if text else {},
        began=bool(after),
        now=desk.now(),
        command="bridge agents",
    )


@pages.get("/unmapped")
@visitor.needs(Permission.SEE_PERSONAL)
def one() -> str:
    """Show somebody whom nobody knows, the tickets that wait, and what would make them known."""
    desk, given = visitor.desk(), _given()
    rows, after = agents.waiting(
        desk, given["connection"], given["who"], WAITING, request.args.get("after", "")
    )
    may_add = visitor.may(Permission.CHANGE_MAPPINGS)
    asked = may_add and bool(given["email"])
    return render_template(
        "unmapped.html",
        given=given,
        who={"connection": given["connection"], "who": given["who"]},
        tickets=rows,
        after=after,
        began=bool(request.args.get("after")),
        may_add=may_add,
        row=_proposal(desk, given) if asked else None,
        publishes=desk.config.from_ledger,
        now=desk.now(),
        command=_command(given) if asked else "bridge agents",
    )


@pages.post("/unmapped")
@visitor.needs(Permission.CHANGE_MAPPINGS)
def add() -> Response:
    """Publish the row that was shown; where files decide, they are edited by hand."""
    desk, given = visitor.desk(), _given()
    revisions.refuse_files(desk)
    row = _proposal(desk, given)
    made = agent_rows.add(desk, row)
    flash(
        f"{row.email} is known at {row.connection}: revision {made.revision} is in force, and "
        "the tickets that waited are read again"
    )
    return redirect(url_for("people.listing"), 303)


def _given() -> dict[str, str]:
    given = {
        name: request.values.get(name, "").strip()[:LONGEST]
        for name in ("connection", "who", "email", "name")
    }
    # Whoever is shown by their address has no name there yet; everybody else has just that.
    if "@" in given["who"]:
        given["email"] = given["email"] or given["who"] if given["name"] else given["email"]
    elif given["email"] and not given["name"]:
        given["name"] = given["who"]
    return given


def _proposal(desk: Desk, given: dict[str, str]) -> AgentRow:
    return agent_rows.proposal(desk, given["email"], given["connection"], given["name"])


def _command(given: dict[str, str]) -> str:
    words = (given["email"], given["connection"], given["name"])
    return f"bridge agents add {' '.join(map(shlex.quote, words))}"
