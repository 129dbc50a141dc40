"""Users: who may come in and as what, each with their sessions, and the acts on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from bridge.core.model.counting import counted
from bridge.errors import UnknownName
from bridge.operations import tokens, users
from bridge.operations.desk import Desk
from bridge.operations.permissions import Permission, Role
from bridge.web.pages import visitor

pages: Final = Blueprint("users", __name__, url_prefix="/users")
PAGE_SIZE: Final = 50
ROLES: Final = tuple(role.value for role in Role)


@pages.get("")
@visitor.needs(Permission.MANAGE_USERS)
def listing() -> str:
    """Show the users by name, and the form for another one."""
    return _listing()


def _listing(name: str = "", role: str = Role.VIEWER, link: str = "") -> str:
    """Return the list; `link`: what lets a new user in, shown this once."""
    desk, after = visitor.desk(), request.args.get("after", "")
    return render_template(
        "users.html",
        page=users.page(desk, PAGE_SIZE, after),
        began=bool(after),
        roles=ROLES,
        name=name,
        role=role,
        link=link,
        now=desk.now(),
        command="bridge user list",
    )


@pages.post("")
@visitor.needs(Permission.MANAGE_USERS)
def add() -> str:
    """Add a user, and show the link that lets them in, once: nothing of it is kept."""
    name, role = request.form.get("name", "").strip(), role_named(request.form.get("role", ""))
    desk = visitor.desk()
    users.add(desk, name, role)
    return _listing(name, role, _invitation(desk, name))


@pages.get("/<user>")
@visitor.needs(Permission.MANAGE_USERS)
def one(user: str) -> str:
    """Show a user, where they are signed in, and what can be done."""
    return _one(user)


def _one(name: str, link: str = "") -> str:
    desk = visitor.desk()
    return render_template(
        "user.html",
        file=users.file_of(desk, name),
        roles=ROLES,
        link=link,
        most=users.SHOWN_SESSIONS,
        now=desk.now(),
        command=f"bridge user role {name} …",
    )


@pages.post("/<user>/<act>")
@visitor.needs(Permission.MANAGE_USERS)
def do(user: str, act: str) -> Response | str:
    """Do something to a user, as the page of theirs said."""
    desk = visitor.desk()
    if act == "invite":
        return _one(user, _invitation(desk, user))
    if act not in DEEDS:
        raise UnknownName(f"nothing called {act} can be done to a user")
    flash(DEEDS[act](desk, user))
    return redirect(url_for("users.one", user=user), 303)


def _set_role(desk: Desk, name: str) -> str:
    role = role_named(request.form.get("role", ""))
    users.set_role(desk, name, role)
    return f"{name} is {role} from the next page on{tokens.stopped_with(desk, name)}"


def _disable(desk: Desk, name: str) -> str:
    users.disable(desk, name)
    return f"{name} is out, and signed out everywhere{tokens.stopped_with(desk, name)}"


def _enable(desk: Desk, name: str) -> str:
    users.enable(desk, name)
    return f"{name} may sign in again"


def _sign_out(desk: Desk, name: str) -> str:
    ended = users.sign_out_everywhere(desk, name)
    return f"{counted(ended, 'session')} of {name} ended"


DEEDS: Final[Mapping[str, Callable[[Desk, str], str]]] = {
    "role": _set_role,
    "disable": _disable,
    "enable": _enable,
    "sign-out": _sign_out,
}
"""What can be done to a user, and says what it has done."""


def role_named(given: str) -> Role:
    """Return the role of this name. Raises UnknownName."""
    if given not in ROLES:
        raise UnknownName(f"there is no role {given}; allowed: {', '.join(ROLES)}")
    return Role(given)


def _invitation(desk: Desk, name: str) -> str:
    token = users.make_link(desk, name, from_elsewhere=True)
    return url_for("sign_in.by_link", token=token, _external=True)
