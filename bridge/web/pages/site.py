"""The application of the pages: their templates, who may see what, and what a browser may do."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from flask import Flask, g, url_for
from flask_wtf import CSRFProtect
from jinja2 import StrictUndefined
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from bridge.operations.desk import Desk
from bridge.operations.drift import RecentDrift
from bridge.operations.effect_jobs import EffectJobs
from bridge.operations.mapping_sheet import KeptMatrix, KeptProofs
from bridge.operations.permissions import Permission
from bridge.operations.playing import VendorStage
from bridge.operations.recent_overview import RecentOverview
from bridge.operations.undo_jobs import UndoJobs
from bridge.web.pages import (
    account_pages,
    audit_pages,
    call_pages,
    conflict_pages,
    connection_pages,
    draft_pages,
    drift_pages,
    event_pages,
    headers,
    json_twins,
    mapping_pages,
    menu,
    new_field_pages,
    overview_page,
    people_pages,
    play_pages,
    problem_pages,
    provider_pages,
    refusals,
    rollback_pages,
    run_pages,
    settings_pages,
    sign_in_pages,
    styleguide,
    ticket_pages,
    token_pages,
    user_pages,
    value_pages,
    visitor,
)
from bridge.web.pages.shown_text import FILTERS, shown

LARGEST_FORM: Final = 1024 * 1024
"""Bytes of a form; a mapping file is the largest thing that anybody sends."""
STATIC: Final = Path(__file__).parent / "static"
YEAR: Final = 365 * 24 * 3600


PAGES: Final = (
    *(overview_page, ticket_pages, problem_pages, conflict_pages, connection_pages),
    *(call_pages, event_pages, run_pages, drift_pages, sign_in_pages, provider_pages),
    *(mapping_pages, draft_pages, new_field_pages, rollback_pages, value_pages),
    *(people_pages, settings_pages, user_pages, token_pages, audit_pages),
    account_pages,
)


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """How the pages are served."""

    key: str = field(repr=False)
    """Signs the cookies."""
    development: bool = False
    """Show the style guide."""
    proxies: int = 0
    """So many proxies stand before it, whose `X-Forwarded-…` is believed."""
    path: str = ""
    """The path below which all pages are, such as `/bridge`; empty: none."""
    receiver: str = ""
    """The address at which vendors reach the receiver; empty: nobody has told it."""


def create_site(
    desk: Callable[[], Desk],
    settings: SiteSettings,
    beside: Mapping[str, Callable[..., Any]] = MappingProxyType({}),
    stage: VendorStage | None = None,
) -> Flask:
    """Make the application. `desk` is asked for the bridge as it is, once for each request.

    `beside`: applications that answer below a path of their own, behind the same proxies.
    `stage`: the sandboxes, where the bridge runs against those.
    """
    app = Flask(__name__, static_folder="static", template_folder="templates")
    app.config.update(
        SECRET_KEY=settings.key,
        DEVELOPMENT=settings.development,
        MAX_CONTENT_LENGTH=LARGEST_FORM,
        MAX_FORM_MEMORY_SIZE=LARGEST_FORM,
        SEND_FILE_MAX_AGE_DEFAULT=YEAR,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_TIME_LIMIT=None,  # a form is good for as long as its session
    )
    app.config[connection_pages.RECEIVER] = settings.receiver.rstrip("/")
    app.extensions[overview_page.RECENT] = RecentOverview()
    app.extensions[drift_pages.RECENT] = RecentDrift()
    app.extensions[mapping_pages.MATRIX] = KeptMatrix()
    app.extensions[draft_pages.JOBS] = EffectJobs()
    app.extensions[draft_pages.PROOFS] = KeptProofs()
    app.extensions[rollback_pages.UNDOS] = UndoJobs()
    app.session_interface = visitor.BrowserSession()
    # The guard looks before the forms are checked: who is not let in learns nothing of them.
    visitor.guard(app, desk)
    CSRFProtect(app)
    headers.harden(app)
    refusals.handle(app)
    for module in PAGES:
        app.register_blueprint(module.pages)
    if stage is not None:
        app.extensions[play_pages.STAGE] = stage
        app.register_blueprint(play_pages.pages)
    if settings.development:
        app.register_blueprint(styleguide.pages)
    _set_up_templates(app)
    app.config[json_twins.API] = next(iter(beside), "")
    if beside:
        app.wsgi_app = DispatcherMiddleware(  # type: ignore[method-assign]
            app.wsgi_app, dict(beside)
        )
    if settings.proxies:
        many = settings.proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign] # as its documents have it
            app.wsgi_app, x_for=many, x_proto=many, x_host=many, x_prefix=many
        )
    if settings.path:
        app.wsgi_app = _below(settings.path, app.wsgi_app)  # type: ignore[method-assign]
    return app


def _set_up_templates(app: Flask) -> None:
    app.jinja_env.finalize = shown
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(FILTERS)
    app.jinja_env.globals["record_url"] = visitor.record_url

    plays = play_pages.STAGE in app.extensions

    @app.context_processor
    def always() -> dict[str, Any]:
        return {
            "menu": menu.groups(plays=plays),
            "user": g.get("user"),
            "development": visitor.is_development(),
            "asset": asset,
            "json_twin": json_twins.json_twin,
            "Permission": Permission,
            "may": visitor.may,
        }


def asset(name: str) -> str:
    """Return the address of a static file; it changes with the file, so that caches may keep it."""
    return url_for("static", filename=name, v=_digest(name))


@cache
def _digest(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def _below(path: str, inner: Callable[..., Any]) -> Callable[..., Any]:
    """Serve all below a path, whether or not the proxy takes it away."""
    prefix = f"/{path.strip('/')}"

    def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        asked = environ.get("PATH_INFO", "")
        if asked == prefix or asked.startswith(f"{prefix}/"):
            environ["PATH_INFO"] = asked[len(prefix) :] or "/"
        environ["SCRIPT_NAME"] = prefix
        return inner(environ, start_response)

    return serve
