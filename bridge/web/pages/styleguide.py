"""The style guide: every component, with usual and with hostile content. In development alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from flask import Blueprint, render_template

from bridge.core.model.capabilities import Support
from bridge.core.model.outcome_codes import Code
from bridge.operations import inbox
from bridge.operations.connection_sheets import AbilityLine, Finding, RateUse
from bridge.operations.drift import Drifted
from bridge.operations.permissions import Permission, Role
from bridge.operations.refused_deliveries import RefusedDeliveries
from bridge.operations.run_sheets import RunObject
from bridge.operations.run_states import RunPhase
from bridge.operations.sync_map import MapPlace
from bridge.operations.ticket_cells import CellMark, TicketCell
from bridge.operations.timeline_sentences import TimelineSentence
from bridge.operations.tokens import Token
from bridge.operations.trouble import Trouble
from bridge.operations.users import User
from bridge.web.pages import spark_drawing, visitor
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
    return _of_connections(texts) | {
        "texts": texts,
        "first": first,
        "entries": entries,
        "cells": cells,
        "token": Token("ci", Role.VIEWER, [], now, "user:ana", now, None, None),
        "user": User("ana", Role.OPERATOR, True, now, None),
        "problem": problem(Code.KEY, f"helpdesk answered 401: {first}"),
    }


def _of_connections(texts: tuple[str, ...]) -> dict[str, Any]:
    """Return what the components of connections and events are shown with."""
    now, first = visitor.desk().now(), texts[0]
    changed = RunObject(3, "helpdesk", "ticket", first, "a", "patch", "done", "", now, [first])
    return {
        "places": [
            MapPlace(first, first, step == "in step", step, health, first, 7, 1)
            for step, health in (("in step", "ok"), ("4 min behind", "ok"), (first, "never called"))
        ],
        "rates": [RateUse("480/minute", 480, used) for used in (0, 130, 480, None)],
        "abilities": [
            AbilityLine("tags", Support.PROBED, None),
            AbilityLine("tags", Support.PROBED, Finding("helpdesk", False, first, now)),
        ],
        "verdicts": inbox.VERDICTS,
        "refused": [
            RefusedDeliveries(name, Code.HOOK_SIGNATURE, first, first, 61, now, now, over)
            for name, over in (("helpdesk", False), ("", True), (first, False))
        ],
        "drawings": [
            spark_drawing.draw([(f"{first} {day}", day * day, day) for day in range(7)], first),
            spark_drawing.draw([], "nothing"),
        ],
        "findings": [
            Drifted("7", "helpdesk", "ticket", first, "changed", [first], now, first, now, None),
            Drifted("7", "helpdesk", "ticket", "tkt_1", "new", [], None, first, now, now),
        ],
        "phases": [RunPhase(name, 7, total, False) for name, total in (("done", 9), (first, None))],
        "objects": [
            RunObject(
                1, "helpdesk", "ticket", first, "a", "patch", "done", first, now, [first] * 9
            ),
            RunObject(2, "helpdesk", "ticket", "", "a", "create", "not done", first, now),
            replace(changed, sent={first: first}, before={first: None}),
        ],
        "troubles": [
            Trouble(Code.KEY, first, now, f"say `bridge doctor` {first}", "helpdesk", tickets=3),
            Trouble(Code.HOOK_UNKNOWN, first, None, "nothing", note=True),
        ],
    }
