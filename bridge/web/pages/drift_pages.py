"""Drift: what comparisons found that webhooks had not told of, by day and source, and why."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, current_app, render_template, request

from bridge.operations import drift
from bridge.operations.drift import DriftSource
from bridge.operations.permissions import Permission
from bridge.web.pages import spark_drawing, visitor
from bridge.web.pages.shown_text import quoted
from bridge.web.pages.spark_drawing import SparkDrawing

pages: Final = Blueprint("drift", __name__, url_prefix="/drift")
PAGE_SIZE: Final = 50
DAYS: Final = ("7", "14", "30")
RECENT: Final = "recent drift"
"""Under this name the application keeps what was counted lately."""
MISSED: Final = "no webhook told"


@pages.get("")
@visitor.needs(Permission.SEE)
def listing() -> str:
    """Show the miss rate by day and source, why webhooks had not told, and the newest findings."""
    desk = visitor.desk()
    given = {name: request.args.get(name, "").strip() for name in ("connection", "days", "which")}
    connection = given["connection"] if given["connection"] in desk.config.connections else ""
    days = given["days"] if given["days"] in DAYS else DAYS[0]
    missed = given["which"] == MISSED
    shown = drift.look(
        desk,
        connection or None,
        missed=missed,
        days=int(days),
        before=visitor.number_given("before"),
        limit=PAGE_SIZE,
        recently=current_app.extensions[RECENT],
    )
    kept: dict[str, Any] = {
        **({"connection": connection} if connection else {}),
        **({"days": days} if days != DAYS[0] else {}),
        **({"which": MISSED} if missed else {}),
    }
    return render_template(
        "drift.html",
        look=shown,
        drawings={source.connection: _drawing(source) for source in shown.sources},
        given={"connection": connection, "days": days, "which": MISSED if missed else ""},
        kept=kept,
        connections=list(desk.config.connections),
        all_days=DAYS,
        missed=MISSED,
        began="before" in request.args,
        looked_at=drift.LOOKED_AT,
        now=desk.now(),
        command=" ".join(
            ["bridge drift", *([quoted(connection)] if connection else []), f"--days {days}"]
        ),
    )


def _drawing(source: DriftSource) -> SparkDrawing:
    bars = [
        (f"{day.day}: {day.found} found, {day.missed} missed", day.found, day.missed)
        for day in source.days
    ]
    words = f"{source.connection}: {source.found} found, {source.missed} missed"
    return spark_drawing.draw(bars, words)
