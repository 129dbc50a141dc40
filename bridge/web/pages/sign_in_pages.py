"""Signing in, by password or by a link for this machine alone, and out."""

from __future__ import annotations

import ipaddress
import math
from typing import Final
from urllib.parse import urlsplit

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from bridge.core.model.outcome_codes import Code
from bridge.operations import sign_in, users
from bridge.operations.sign_in import NotLetIn, TryLater
from bridge.web.pages import typed_text, visitor
from bridge.web.pages.refusals import PageRefused, problem
from bridge.web.pages.visitor import open_to_all

pages: Final = Blueprint("sign_in", __name__)
FORWARDED: Final = ("Forwarded", "X-Forwarded-For", "X-Real-Ip")


@pages.get("/sign-in")
@open_to_all
def form() -> str | Response:
    """Show the form, or go on where somebody is signed in."""
    if g.user is not None:
        return redirect(way_back(request.values.get("next", "")), 303)
    return typed_text.sign_in_form(back=request.args.get("next", ""))


@pages.post("/sign-in")
@open_to_all
def enter() -> Response | str | tuple[str, int]:
    """Sign in with a password; what is wrong is said in the form, and the name stays typed."""
    name, password = request.form.get("name", ""), request.form.get("password", "")
    try:
        entry = sign_in.by_password(g.desk, name, password, request.remote_addr or "")
    except TryLater as error:
        seconds = math.ceil(error.wait.total_seconds())
        raise PageRefused(429, Code.PAGE_WAIT, str(error), retry_after=seconds) from None
    except NotLetIn as error:
        back = request.values.get("next", "")
        carried, to = typed_text.carried(), typed_text.carried_to()
        return typed_text.sign_in_form(str(error), name, back, carried, to), 401
    visitor.let_in(entry)
    if to := typed_text.carried_to():
        return typed_text.go_on(to, typed_text.carried())
    return redirect(way_back(request.values.get("next", "")), 303)


@pages.get("/sign-in/link/<token>")
@open_to_all
def by_link(token: str) -> Response | str | tuple[str, int]:
    """Sign in whoever opens their link on this machine.

    An invitation waits for a press of a button: what looks links up in letters would use it up.
    """
    if users.is_invitation(token):
        return render_template("invited.html", token=token)
    if not _is_here():
        raise PageRefused(403, Code.PAGE_SIGN_IN, "such a link is for the bridge's own machine")
    return _let_in(token, "overview.page")


@pages.post("/sign-in/link/<token>")
@open_to_all
def accept(token: str) -> Response | tuple[str, int]:
    """Sign in whoever was invited, where nobody on the way can read along."""
    if not users.is_invitation(token) or not (request.is_secure or _is_here()):
        raise PageRefused(
            403, Code.PAGE_SIGN_IN, "such a link works by https, or on the bridge's own machine"
        )
    return _let_in(token, "account.page")


def _let_in(token: str, to: str) -> Response | tuple[str, int]:
    try:
        visitor.let_in(sign_in.by_link(g.desk, token, request.remote_addr or ""))
    except NotLetIn as error:
        return render_template("refused.html", problem=problem(Code.PAGE_SIGN_IN, str(error))), 401
    return redirect(url_for(to), 303)


@pages.post("/sign-out")
@open_to_all
def sign_out() -> Response:
    """End the session in this browser."""
    visitor.leave()
    return redirect(url_for("sign_in.form"), 303)


def _is_here() -> bool:
    """Return whether a request comes from this machine, and not through a proxy on it."""
    if any(request.headers.get(name) for name in FORWARDED):
        return False
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def way_back(back: str) -> str:
    """Return where to go on: a path of ours, whatever the address says."""
    parts = urlsplit(back)
    ours = back.startswith("/") and not back.startswith(("//", "/\\"))
    plain = back.isprintable() and "\\" not in back
    if not (ours and plain) or parts.scheme or parts.netloc:
        return url_for("overview.page")
    return f"{request.script_root}{back}"
