"""What somebody has typed survives the end of their session: it is carried through the sign-in.

Nothing is stored and nothing is done for that: the form comes back as it was sent, to be sent once
more by whoever is signed in then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlsplit

from flask import current_app, g, render_template, request
from werkzeug.exceptions import HTTPException

PREFIX: Final = "kept."
"""Begins the names of what is carried in the form of the sign-in."""
TO: Final = "kept_to"
TOKEN: Final = "csrf_token"  # noqa: S105 - the name of it

View = TypeVar("View", bound=Callable[..., Any])


def kept(view: View) -> View:
    """Declare that what a view is sent survives the end of a session."""
    cast("Any", view).keeps_what_was_typed = True
    return view


def is_kept() -> bool:
    """Return whether the request is a form of ours whose text must not be lost."""
    if request.method != "POST" or request.headers.get("HX-Request") or request.endpoint is None:
        return False
    view = current_app.view_functions[request.endpoint]
    return getattr(view, "keeps_what_was_typed", False) and _is_ours()


def _is_ours() -> bool:
    """Return whether a page of ours has sent the form: no other site types for anybody."""
    origin = request.headers.get("Origin")
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return False
    return origin is None or urlsplit(origin).netloc == request.host


def sent() -> dict[str, str]:
    """Return what was typed, by the names of its fields."""
    return {name: value for name, value in request.form.items() if name != TOKEN}


def carried() -> dict[str, str]:
    """Return what the form of a sign-in carries of another form."""
    given = request.form.items()
    return {name.removeprefix(PREFIX): text for name, text in given if name.startswith(PREFIX)}


def carried_to() -> str:
    """Return the address to which what is carried is to be sent; empty: none of ours takes it."""
    to = request.form.get(TO, "")
    parts = urlsplit(to)
    if parts.scheme or parts.netloc or not to.startswith("/") or to.startswith("//"):
        return ""
    try:
        endpoint, _ = current_app.url_map.bind("").match(parts.path, method="POST")
    except HTTPException:
        return ""
    view = current_app.view_functions.get(endpoint)
    return to if getattr(view, "keeps_what_was_typed", False) else ""


def sign_in_again() -> tuple[str, int]:
    """Return the page to sign in that carries what was typed."""
    wrong = "Your session is over. What you typed is kept: sign in, and go on with it."
    return sign_in_form(wrong, carried=sent(), carried_to=request.path), 401


def sign_in_form(
    wrong: str = "",
    name: str = "",
    back: str = "",
    carried: Mapping[str, str] = MappingProxyType({}),
    carried_to: str = "",
) -> str:
    """Return the page to sign in, which may carry what was typed in another form."""
    provider = g.desk.config.settings.openid
    return render_template(
        "sign_in.html",
        wrong=wrong,
        name=name,
        back=back,
        carried=carried,
        carried_to=carried_to,
        label=provider.label if provider is not None else "",
    )


def of_session_before() -> tuple[str, int] | None:
    """Return a page with what was typed in a form of another session; None: it is lost with it.

    Who signs in by a provider does so in another tab, while the form of the sign-in has the text.
    """
    if is_kept():
        return go_on(request.path, sent()), 400
    if g.user is not None and (to := carried_to()) and _is_ours():
        return go_on(to, carried()), 200
    return None


def go_on(to: str, fields: Mapping[str, str]) -> str:
    """Return a page with what was typed, to be sent once more by who is signed in now."""
    return render_template(
        "typed_text.html", to=f"{request.script_root}{to}", fields=fields, text=fields.get("text")
    )
