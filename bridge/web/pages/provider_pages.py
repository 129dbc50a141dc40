"""Signing in by a provider: the way there, and the way back.

Both are plain links, which work without scripts. What an attempt is recognised by stays in the
browser's own cookie, signed, until it comes back; then it is gone from there.
"""

from __future__ import annotations

import hmac
import math
from typing import Any, Final
from urllib.parse import urlencode

from flask import Blueprint, flash, g, redirect, request, session, url_for
from werkzeug.wrappers import Response

from bridge.core.model.outcome_codes import Code
from bridge.core.model.sign_in_provider import AttemptSecrets, OpenIdRefused
from bridge.operations import openid_sign_in
from bridge.operations.openid_sign_in import BroughtBack
from bridge.operations.sign_in import TryLater
from bridge.web.pages import visitor
from bridge.web.pages.refusals import PageRefused
from bridge.web.pages.sign_in_pages import way_back
from bridge.web.pages.visitor import open_to_all

pages: Final = Blueprint("provider", __name__, url_prefix="/sign-in/openid")
ATTEMPTS: Final = "openid"
"""Under which the cookie has them."""
MOST_ATTEMPTS: Final = 3
"""The newest: somebody may have opened several tabs. A cookie holds no more."""
LONGEST_BACK: Final = 300
STATUS: Final = {
    Code.OPENID_DOWN: 503,
    Code.OPENID_SETUP: 502,
    Code.OPENID_CANCELLED: 400,
    Code.OPENID_STATE: 400,
    Code.OPENID_TOKEN: 401,
    Code.OPENID_CLOCK: 401,
    Code.OPENID_ROLE: 403,
    Code.OPENID_OUT: 403,
}


@pages.get("")
@open_to_all
def begin() -> Response:
    """Send a browser to the provider, from the address to which it is to come back."""
    wanted = request.args.get("next", "")
    if g.user is not None:
        return redirect(way_back(wanted), 303)
    settings = g.desk.config.settings.openid
    if settings is None:
        return redirect(url_for("sign_in.form", next=wanted or None), 303)
    here = url_for("provider.back", _external=True)
    if here != settings.redirect_uri:
        if request.args.get("moved"):
            raise PageRefused(
                502,
                Code.OPENID_SETUP,
                f"the provider sends browsers back to {settings.redirect_uri}, but these pages "
                f"are reached at {here}: correct `openid.pages`, or say how many proxies there are",
            )
        query = urlencode({"moved": 1, "next": wanted})
        return redirect(f"{settings.pages}/sign-in/openid?{query}", 303)
    try:
        made, address = openid_sign_in.begin(g.desk)
    except OpenIdRefused as error:
        raise _refused(error) from None
    kept = wanted if len(wanted) <= LONGEST_BACK else ""
    attempt = [made.state, made.nonce, made.verifier, kept, g.desk.now().timestamp()]
    session[ATTEMPTS] = [*_attempts(), attempt][-MOST_ATTEMPTS:]
    return redirect(address, 303)


@pages.get("/back")
@open_to_all
def back() -> Response:
    """Sign in whoever comes back with what this browser was sent off with."""
    state = request.args.get("state", "")
    known = _attempts()
    found = next((each for each in known if hmac.compare_digest(each[0], _ascii(state))), None)
    if found is None:
        raise _refused(OpenIdRefused(Code.OPENID_STATE, "this browser has begun no such sign-in"))
    session[ATTEMPTS] = [each for each in known if each is not found]
    given = {name: request.args.get(name, "") for name in ("code", "error")}
    brought = BroughtBack(**given, issuer=request.args.get("iss"))
    attempt, address = AttemptSecrets(*found[:3]), request.remote_addr or ""
    try:
        entered = openid_sign_in.finish(g.desk, attempt, found[4], brought, address)
    except TryLater as error:
        seconds = math.ceil(error.wait.total_seconds())
        raise PageRefused(429, Code.PAGE_WAIT, str(error), retry_after=seconds) from None
    except OpenIdRefused as error:
        raise _refused(error) from None
    visitor.let_in(entered.entry)
    if entered.taken:
        name = entered.entry.user.name
        flash(f"you are called {name} here: somebody else is {entered.taken}")
    return redirect(way_back(found[3]), 303)


def _attempts() -> list[Any]:
    return list(session.get(ATTEMPTS, []))


def _ascii(text: str) -> str:
    """Return a text that can be compared in constant time; what is longer is none of ours."""
    return text if text.isascii() and len(text) <= LONGEST_BACK else ""


def _refused(error: OpenIdRefused) -> PageRefused:
    return PageRefused(STATUS[error.code], error.code, error.facts)
