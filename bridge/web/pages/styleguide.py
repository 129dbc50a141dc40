"""The style guide: every component, with usual and with hostile content. In development alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from flask import Blueprint, render_template

from bridge.core.model.outcome_codes import Code
from bridge.operations.permissions import Permission
from bridge.operations.ticket_cells import CellMark, TicketCell
from bridge.operations.timeline_sentences import TimelineSentence
from bridge.web.pages import visitor
from bridge.web.pages.refusals import problem

pages: Final = Blueprint("styleguide", __name__)
HOSTILE: Final = (
    '"><img src=x onerror=alert(1)>',
    "<script>alert(1)</script>",
    "{{ 7 * 7 }} {% raw %}",
    "javascript:alert(1)",
    "invoice\u202egnp.exe \x1b[31mred\x1b[0m \x00 \u2066\u200b",
    "عربي و English",
    "W" * 120,
)
"""What a stranger may write into a ticket."""


@pages.get("/styleguide")
@visitor.needs(Permission.SEE)
def page() -> str:
    """Show all components together."""
    now = visitor.desk().now()
    return render_template("styleguide.html", now=now, command="bridge admin", **samples(HOSTILE))


def samples(texts: tuple[str, ...]) -> dict[str, Any]:
    """Return what the components are shown with; `texts` stand wherever a vendor's text may."""
    now = visitor.desk().now()
    first = texts[0]
    entries = [
        TimelineSentence(
            now - timedelta(minutes=17 * number),
            "changed",
            "helpdesk",
            f"status was changed at helpdesk, from open to {text}",
            text if number % 2 else "",
            str(Code.MAP_VALUE) if number % 2 else "",
            "no row for a value",
        )
        for number, text in enumerate(texts)
    ]
    cells = [
        (mark, TicketCell(mark, texts[number % len(texts)], first if number > 2 else "", "", now))
        for number, mark in enumerate(CellMark)
    ]
    return {
        "texts": texts,
        "first": first,
        "entries": entries,
        "cells": cells,
        "problem": problem(Code.KEY, f"helpdesk answered 401: {first}"),
    }
