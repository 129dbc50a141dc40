"""Tokens: which programs may use the API, and as what; one is shown once, when it is made."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from bridge.errors import NotPossible
from bridge.operations import tokens
from bridge.operations.permissions import Permission, Role
from bridge.web.pages import visitor
from bridge.web.pages.user_pages import ROLES, role_named

pages: Final = Blueprint("tokens", __name__, url_prefix="/tokens")
PAGE_SIZE: Final = 50


@pages.get("")
@visitor.needs(Permission.MANAGE_USERS)
def listing() -> str:
    """Show the tokens by name, and the form for another one."""
    return _listing()


def _listing(name: str = "", secret: str = "") -> str:
    """Return the list; `secret`: of a token that was just made, shown this once."""
    desk, after = visitor.desk(), request.args.get("after", "")
    found = tokens.every(desk)
    behind = [token for token in found if token.name > after]
    shown = behind[:PAGE_SIZE]
    return render_template(
        "tokens.html",
        tokens=shown,
        after=shown[-1].name if len(behind) > len(shown) else "",
        began=bool(after),
        connections=list(desk.config.connections),
        roles=ROLES,
        usual=Role.VIEWER,
        days=tokens.USUAL_DAYS,
        longest=tokens.LONGEST_DAYS,
        name=name,
        secret=secret,
        now=desk.now(),
        command="bridge token list",
    )


@pages.post("")
@visitor.needs(Permission.MANAGE_USERS)
def create() -> str:
    """Make a token and show it, once: nothing of it is kept but a digest."""
    name, days = request.form.get("name", "").strip(), request.form.get("days", "")
    if not days.isdecimal():
        raise NotPossible(f"say for how many days it is good: 1 to {tokens.LONGEST_DAYS}")
    made = tokens.create(
        visitor.desk(),
        name,
        role_named(request.form.get("role", "")),
        connections=[each for each in request.form.getlist("connection") if each],
        days=int(days[:9]),
    )
    return _listing(name, made.secret)


@pages.get("/<token>")
@visitor.needs(Permission.MANAGE_USERS)
def one(token: str) -> str:
    """Show a token, and what revoking it would do."""
    desk = visitor.desk()
    return render_template(
        "token.html",
        it=tokens.get(desk, token),
        now=desk.now(),
        command=f"bridge token revoke {token}",
    )


@pages.post("/<token>")
@visitor.needs(Permission.MANAGE_USERS)
def revoke(token: str) -> Response:
    """Let nobody in with a token any more."""
    tokens.revoke(visitor.desk(), token)
    flash(f"{token} lets nobody in any more")
    return redirect(url_for("tokens.listing"), 303)
