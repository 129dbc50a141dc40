"""Events: the webhooks that came, what became of each, and their records read again."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from bridge.core.model.counting import counted
from bridge.errors import NotPossible
from bridge.operations import inbox, refused_deliveries
from bridge.operations.inbox import WantedEvents
from bridge.operations.permissions import Permission
from bridge.web.pages import overview_page, shown_text, visitor

pages: Final = Blueprint("events", __name__, url_prefix="/events")
PAGE_SIZE: Final = 50
LONGEST_FILTER: Final = 200
LARGEST_ID: Final = 2**63 - 1
SHOWN_NUMBERS: Final = 20
"""So many are named in the command at the foot."""


@pages.get("")
@visitor.needs(Permission.SEE)
def listing() -> str:
    """Show the newest webhooks that fit, the account of all, and what was refused."""
    desk, wanted = visitor.desk(), _wanted()
    before = visitor.number_given("before")
    return render_template(
        "events.html",
        page=inbox.listed(desk, wanted, before=before, limit=PAGE_SIZE),
        given=wanted,
        kept=_kept(wanted),
        verdicts=inbox.VERDICTS,
        connections=list(desk.config.connections),
        account=overview_page.recent(desk).summary.account,
        refused=refused_deliveries.within_a_day(desk) if before is None else [],
        began=before is not None,
        looked_at=inbox.LOOKED_AT,
        now=desk.now(),
        command=" ".join(["bridge inbox list", *_options(wanted)]),
    )


def _wanted() -> WantedEvents:
    given = {
        name: request.values.get(name, "").strip()[:LONGEST_FILTER]
        for name in ("verdict", "connection", "remote_id")
    }
    found = WantedEvents(**given)
    return found if found.verdict in inbox.VERDICTS else replace(found, verdict="")


def _kept(wanted: WantedEvents) -> dict[str, Any]:
    return {name: value for name, value in asdict(wanted).items() if value}


def _options(wanted: WantedEvents) -> list[str]:
    """Return the filter as the command takes it."""
    named = {"verdict": wanted.verdict, "connection": wanted.connection}
    return [f"--{name} {shown_text.quoted(value)}" for name, value in named.items() if value]


@pages.get("/<int:number>")
@visitor.needs(Permission.SEE)
def one(number: int) -> str:
    """Show one webhook: what was kept of it, and what became of the record that it named."""
    desk = visitor.desk()
    return render_template(
        "event.html",
        sheet=inbox.sheet(desk, min(number, LARGEST_ID)),
        now=desk.now(),
        command=f"bridge inbox show {number}",
    )


@pages.post("/<int:number>")
@visitor.needs(Permission.TEND_TICKETS)
def reprocess(number: int) -> Response:
    """Have the record of one webhook read again."""
    desk = visitor.desk()
    inbox.reprocess(desk, [min(number, LARGEST_ID)])
    desk.announce()
    flash("Its record is read again now; what the webhook claimed plays no part")
    return redirect(url_for("events.one", number=number), 303)


@pages.get("/reprocess")
@visitor.needs(Permission.TEND_TICKETS)
def preview() -> str:
    """Show which webhooks' records would be read again, and nothing is done."""
    wanted = _wanted()
    plan = inbox.matching(visitor.desk(), wanted)
    return render_template(
        "events_act.html",
        plan=plan,
        wanted=wanted,
        kept=_kept(wanted),
        hidden={"numbers": " ".join(map(str, plan.numbers)), **_kept(wanted)},
        command=" ".join(["bridge inbox reprocess", *map(str, plan.numbers[:SHOWN_NUMBERS])])
        + (" …" if len(plan.numbers) > SHOWN_NUMBERS else ""),
    )


@pages.post("/reprocess")
@visitor.needs(Permission.TEND_TICKETS)
def do() -> Response:
    """Have the records of just those webhooks read again that were looked at."""
    desk = visitor.desk()
    given = request.form.get("numbers", "").split()
    if not given or not all(
        each.isdecimal() and len(each) < visitor.LONGEST_NUMBER for each in given
    ):
        raise NotPossible("no webhooks were named; look at them once more, then say so")
    inbox.reprocess(desk, [int(each) for each in given[: inbox.MOST_AT_ONCE]])
    desk.announce()
    records = counted(len(given), "webhook")
    flash(f"The records of {records} are read again now")
    return redirect(url_for("events.listing", **_kept(_wanted())), 303)
