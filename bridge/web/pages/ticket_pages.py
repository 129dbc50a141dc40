"""Tickets: a list with filters, one ticket with its sides beside the agreed state, and why."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, render_template, request

from bridge.operations import tickets, why
from bridge.operations.permissions import Permission
from bridge.operations.ticket_cells import sheet
from bridge.operations.ticket_states import TicketState
from bridge.operations.tickets import Wanted
from bridge.web.pages import shown_text, visitor

pages: Final = Blueprint("tickets", __name__, url_prefix="/tickets")
PAGE_SIZE: Final = 50
LOOKED_AT: Final = 2_000
"""So many tickets are looked at for one page; the next page goes on from there."""
SHOWN_ENTRIES: Final = 100
"""So many entries of a timeline are on one page, the newest."""
LONGEST_FILTER: Final = 200


@pages.get("")
@visitor.needs(Permission.SEE)
def listing() -> str:
    """Show the newest tickets that fit; the address holds the whole filter."""
    given = {
        name: request.args.get(name, "").strip()[:LONGEST_FILTER]
        for name in ("text", "state", "sync", "email", "tag")
    }
    state = next((each for each in TicketState if each == given["state"]), None)
    wanted = Wanted(
        text=given["text"], email=given["email"], tag=given["tag"], state=state, sync=given["sync"]
    )
    desk = visitor.desk()
    after = request.args.get("after") or None
    found = tickets.listed(desk, wanted, limit=PAGE_SIZE, after=after, within=LOOKED_AT)
    return render_template(
        "tickets.html",
        page=found,
        given=given,
        kept={name: value for name, value in given.items() if value},
        states=[each.value for each in TicketState],
        syncs=list(desk.config.syncs),
        began=after is not None,
        looked_at=LOOKED_AT,
        now=desk.now(),
        command=_command(given),
    )


def _command(given: dict[str, str]) -> str:
    """Return the command that lists the same."""
    words = ["bridge tickets"]
    if given["text"]:
        words.append(shown_text.quoted(given["text"]))
    words += [f"--{name} {shown_text.quoted(value)}" for name, value in given.items() if value][
        bool(given["text"]) :
    ]
    return " ".join(words)


@pages.get("/<ref>")
@visitor.needs(Permission.SEE)
def one(ref: str) -> str:
    """Show one ticket, which REF names as on the command line."""
    desk = visitor.desk()
    ticket = sheet(desk, ref)
    return render_template(
        "ticket.html",
        ticket=ticket,
        entries=ticket.timeline[:SHOWN_ENTRIES],
        more=max(0, len(ticket.timeline) - SHOWN_ENTRIES),
        now=desk.now(),
        command=f"bridge ticket {ticket.id}",
    )


@pages.get("/<ref>/why/<field>")
@visitor.needs(Permission.SEE)
def reason(ref: str, field: str) -> str:
    """Say why a field has its value, and why each side does or does not show it."""
    desk = visitor.desk()
    explained = why.explain(desk, ref, field)
    return render_template(
        "why.html",
        ref=ref,
        why=explained,
        now=desk.now(),
        command=f"bridge why {explained.link} {field}",
    )
