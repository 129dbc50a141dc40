"""Who looks at a page: their session, their user, and what a view needs them to be allowed.

The browser has one signed cookie, which holds a token and nothing about the person. The ledger
knows the token's digest; when the session has ended there, the cookie is worth nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

from flask import Flask, current_app, g, make_response, redirect, request, session, url_for
from flask.sessions import SecureCookieSessionInterface
from werkzeug.wrappers import Response

from bridge.core.model.outcome_codes import Code
from bridge.operations import sign_in
from bridge.operations.desk import Desk
from bridge.operations.permissions import Permission
from bridge.operations.sign_in import SignedIn
from bridge.operations.users import User
from bridge.web.pages import typed_text
from bridge.web.pages.refusals import PageRefused

TOKEN: Final = "token"  # noqa: S105 - the name of it
COOKIE: Final = "bridge"
SECURE_COOKIE: Final = "__Host-bridge"
LONGEST_NUMBER: Final = 19
"""Digits; the databases know no longer ones."""
OPEN: Final = "open"
"""What an open view needs: nothing."""

View = TypeVar("View", bound=Callable[..., Any])


class BrowserSession(SecureCookieSessionInterface):
    """A cookie that no script reads and no other site's form brings along."""

    def get_cookie_name(self, app: Flask) -> str:
        """Return a name that browsers take from https and the whole host alone, where they can."""
        del app
        return SECURE_COOKIE if request.is_secure else COOKIE

    def get_cookie_secure(self, app: Flask) -> bool:
        """Return whether the cookie comes back by https alone."""
        del app
        return request.is_secure

    def get_cookie_path(self, app: Flask) -> str:
        """Return the path: a name that begins with `__Host-` has no other."""
        del app
        return "/"


def needs(permission: Permission) -> Callable[[View], View]:
    """Declare what somebody must be allowed who is shown a view. What declares nothing is shut."""

    def declare(view: View) -> View:
        cast("Any", view).needs = permission
        return view

    return declare


def open_to_all(view: View) -> View:
    """Declare that a view is shown to whoever asks."""
    cast("Any", view).needs = OPEN
    return view


def needed(view: Any) -> Permission | str | None:
    """Return what a view has declared; None: nothing, and it is shut."""
    return getattr(view, "needs", None)


def guard(app: Flask, desk: Callable[[], Desk]) -> None:
    """Look before every view who asks, and whether they may."""

    @app.before_request
    def look() -> Response | None:
        g.desk, g.user = desk(), None
        if request.endpoint == "static":
            return None
        g.user = _user(g.desk)
        if request.endpoint is None:
            return None  # there is no such page, which is said to whoever asks
        required = needed(app.view_functions[request.endpoint])
        if required == OPEN:
            return None
        if g.user is None and typed_text.is_kept():
            return make_response(*typed_text.sign_in_again())
        if g.user is None:
            return _to_sign_in()
        if not isinstance(required, Permission) or not g.user.may(required):
            raise PageRefused(403, Code.PAGE_ROLE, f"{g.user.name} is {g.user.role}")
        return None


def _user(desk: Desk) -> User | None:
    token = session.get(TOKEN)
    return sign_in.user_of(desk, token) if isinstance(token, str) else None


def whose_browser(key: str) -> Callable[[Desk], User | None]:
    """Return what tells who is signed in where another application answers the request.

    `key`: signs the cookies.
    """
    signer, cookies = Flask(__name__, static_folder=None), BrowserSession()
    signer.secret_key = key

    def look(desk: Desk) -> User | None:
        opened = cookies.open_session(signer, request)
        token = None if opened is None else opened.get(TOKEN)
        return sign_in.user_of(desk, token) if isinstance(token, str) else None

    return look


def _to_sign_in() -> Response:
    """Send somebody to sign in and then back; a form that was sent is answered, not lost."""
    if request.method not in {"GET", "HEAD"} or request.headers.get("HX-Request"):
        raise PageRefused(401, Code.PAGE_SIGN_IN, "your session is over")
    back = request.full_path.rstrip("?")
    return redirect(url_for("sign_in.form", next=back if back != "/" else None), 303)


def desk() -> Desk:
    """Return the desk, at which whoever is signed in sits."""
    opened: Desk = g.desk
    if g.user is None:
        return opened
    return opened.seen_by(g.user.actor, personal=g.user.may(Permission.SEE_PERSONAL))


def record_url(connection: str, remote_id: str) -> str:
    """Return the address of a ticket's page at the vendor, for templates; empty: none is known."""
    return desk().record_url(connection, remote_id)


def may(permission: Permission) -> bool:
    """Return whether whoever looks may do this."""
    return g.user is not None and g.user.may(permission)


def number_given(name: str) -> int | None:
    """Return a number that the address names, such as where a page of a list goes on."""
    given = request.args.get(name, "")
    return int(given) if given.isdecimal() and len(given) < LONGEST_NUMBER else None


def let_in(entry: SignedIn) -> None:
    """Begin a session in this browser; whatever it had before is gone, tokens of forms too."""
    leave()
    session[TOKEN] = entry.token
    g.user = entry.user


def leave() -> None:
    """End the session of this browser, here and in the ledger."""
    token = session.get(TOKEN)
    session.clear()
    if isinstance(token, str):
        sign_in.sign_out(g.desk, token)
    g.user = None


def is_development() -> bool:
    """Return whether pages for those who build pages are shown."""
    return bool(current_app.config["DEVELOPMENT"])
