"""Audit: who did what through the bridge, and whether the record of it is whole."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime, timedelta
from typing import Final

from flask import Blueprint, render_template, request

from bridge.operations import audit_trail
from bridge.operations.audit_trail import AuditFilter
from bridge.operations.permissions import Permission
from bridge.web.pages import visitor

pages: Final = Blueprint("audit", __name__, url_prefix="/audit")
PAGE_SIZE: Final = 50
LOOKED_AT: Final = 5_000
"""So many acts are looked at for one page; the next page goes on from there."""
VERIFIED: Final = 1_000
"""So many of the newest are verified for each page; `bridge audit verify` goes through all."""
LONGEST_FILTER: Final = 200


@pages.get("")
@visitor.needs(Permission.SEE_AUDIT)
def listing() -> str:
    """Show the newest acts that fit; the address holds the whole filter."""
    given = {
        name: request.args.get(name, "").strip()[:LONGEST_FILTER]
        for name in ("actor", "action", "subject", "since", "until")
    }
    since, until = _day(given["since"]), _day(given["until"])
    wanted = AuditFilter(
        given["actor"],
        given["action"],
        given["subject"],
        since,
        until + timedelta(days=1) if until is not None else None,
    )
    desk, before = visitor.desk(), request.args.get("before", type=int)
    return render_template(
        "audit.html",
        page=audit_trail.page(desk, wanted, limit=PAGE_SIZE, before=before, within=LOOKED_AT),
        chain=audit_trail.verify_newest(desk, VERIFIED),
        given=given,
        kept={name: value for name, value in given.items() if value},
        unread=[
            name for name, day in (("since", since), ("until", until)) if given[name] and not day
        ],
        began=before is not None,
        looked_at=LOOKED_AT,
        now=desk.now(),
        command=_command(given, wanted),
    )


def _day(text: str) -> datetime | None:
    """Return the beginning of a day as `2026-05-31`, in UTC; None: it is none that counts."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None


def _command(given: dict[str, str], wanted: AuditFilter) -> str:
    """Return the command that lists the same."""
    options = {
        "by": given["actor"],
        "action": given["action"],
        "about": given["subject"],
        "since": wanted.since and f"{wanted.since:%Y-%m-%d}",
        "until": wanted.until and f"{wanted.until:%Y-%m-%d}",
    }
    parts = [f"--{name} {shlex.quote(value)}" for name, value in options.items() if value]
    return " ".join(["bridge audit", *parts])
