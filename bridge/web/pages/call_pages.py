"""Calls: the last HTTP calls to vendors, and one with what was sent and answered."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from flask import Blueprint, render_template, request

from bridge.operations import last_calls
from bridge.operations.last_calls import METHODS, OUTCOMES, WantedCalls
from bridge.operations.permissions import Permission
from bridge.web.pages import shown_text, visitor

pages: Final = Blueprint("calls", __name__, url_prefix="/calls")
PAGE_SIZE: Final = 50
LONGEST_FILTER: Final = 200
SLOWEST: Final = 1_000_000
LARGEST_ID: Final = 2**31 - 1


@pages.get("")
@visitor.needs(Permission.SEE)
def listing() -> str:
    """Show the newest calls that fit; the address holds the whole filter."""
    desk, wanted = visitor.desk(), _wanted()
    before = visitor.number_given("before")
    kept = {name: value for name, value in asdict(wanted).items() if value}
    return render_template(
        "calls.html",
        page=last_calls.listed(
            desk, wanted, before=before and min(before, LARGEST_ID), limit=PAGE_SIZE
        ),
        given=wanted,
        kept=kept,
        connections=list(desk.config.connections),
        outcomes=OUTCOMES,
        methods=METHODS,
        began=before is not None,
        looked_at=last_calls.LOOKED_AT,
        now=desk.now(),
        command=_command(kept),
    )


def _wanted() -> WantedCalls:
    given = {
        name: request.args.get(name, "").strip()[:LONGEST_FILTER]
        for name in ("connection", "ticket", "outcome", "method")
    }
    slower = visitor.number_given("slower_than") or 0
    return WantedCalls(
        connection=given["connection"],
        ticket=given["ticket"],
        outcome=given["outcome"] if given["outcome"] in OUTCOMES else "",
        method=given["method"] if given["method"] in METHODS else "",
        slower_than=min(slower, SLOWEST),
    )


def _command(kept: dict[str, Any]) -> str:
    """Return the command that lists the same."""
    options = (
        f"--{name.replace('_', '-')} {shown_text.quoted(str(value))}"
        for name, value in kept.items()
    )
    return " ".join(["bridge calls", *options])


@pages.get("/<int:number>")
@visitor.needs(Permission.SEE)
def one(number: int) -> str:
    """Show one call; what bodies were kept to those who may see personal values."""
    desk = visitor.desk()
    personal = visitor.may(Permission.SEE_PERSONAL)
    return render_template(
        "call.html",
        it=last_calls.show(desk, min(number, LARGEST_ID), personal=personal),
        now=desk.now(),
        command=f"bridge calls {number}",
    )
