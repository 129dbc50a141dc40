"""One's own account: where one is signed in, and one's password."""

from __future__ import annotations

import math
from typing import Final

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from bridge.core.model.outcome_codes import Code
from bridge.errors import NotPossible
from bridge.operations import passwords, sign_in, users
from bridge.operations.permissions import Permission
from bridge.operations.sign_in import NotLetIn, TryLater
from bridge.web.pages import visitor
from bridge.web.pages.refusals import PageRefused

pages: Final = Blueprint("account", __name__, url_prefix="/account")


@pages.get("")
@visitor.needs(Permission.SEE)
def page() -> str:
    """Show the account of whoever looks."""
    return _page()


def _page(wrong: str = "") -> str:
    desk = visitor.desk()
    return render_template(
        "account.html",
        file=users.file_of(desk, g.user.name),
        shortest=passwords.SHORTEST,
        longest=passwords.LONGEST,
        most=users.SHOWN_SESSIONS,
        wrong=wrong,
        now=desk.now(),
        command=f"bridge user password {g.user.name}",
    )


@pages.post("/password")
@visitor.needs(Permission.SEE)
def change_password() -> Response | tuple[str, int]:
    """Take another password, and end all sessions but this."""
    old, new, again = (request.form.get(name, "") for name in ("old", "new", "again"))
    if new != again:
        return _page("the two new passwords are not the same"), 400
    try:
        entry = sign_in.change_password(visitor.desk(), g.user, old, new, request.remote_addr or "")
    except TryLater as error:
        seconds = math.ceil(error.wait.total_seconds())
        raise PageRefused(429, Code.PAGE_WAIT, str(error), retry_after=seconds) from None
    except NotLetIn:
        return _page("the present password is not right"), 400
    except NotPossible as error:
        return _page(str(error)), 400
    visitor.let_in(entry)
    flash("your password is changed, and you are signed out everywhere else")
    return redirect(url_for("account.page"), 303)


@pages.post("/sign-out")
@visitor.needs(Permission.SEE)
def sign_out() -> Response:
    """End all sessions of whoever asks, this one too."""
    users.sign_out_everywhere(visitor.desk(), g.user.name)
    visitor.leave()
    return redirect(url_for("sign_in.form"), 303)
