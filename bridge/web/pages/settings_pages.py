"""Settings: what is configured and where, to be read; files decide, and secrets are never shown."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, render_template, request

from bridge.operations import settings_sheet
from bridge.operations.permissions import Permission
from bridge.web.pages import visitor

pages: Final = Blueprint("settings", __name__, url_prefix="/settings")
PAGE_SIZE: Final = 50


@pages.get("")
@visitor.needs(Permission.SEE)
def page() -> str:
    """Show the settings, each with the line that decides."""
    desk, after = visitor.desk(), request.args.get("after", "")
    by_provider = settings_sheet.sign_in(desk)
    return render_template(
        "settings.html",
        groups={
            "General": settings_sheet.general(desk),
            **({"Sign-in by a provider": by_provider} if by_provider else {}),
            "How long things are kept": settings_sheet.retention(desk),
            "Of the process that serves these pages": settings_sheet.of_environment(),
        },
        connections=settings_sheet.connections(desk, PAGE_SIZE, after),
        began=bool(after),
        now=desk.now(),
        command="bridge check",
    )
