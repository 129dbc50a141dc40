"""Values: what vendors show that no mapping can read, and fields that no file knows; taken in."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from bridge.core.model.counting import counted
from bridge.operations import (
    accepted_parts,
    drafts,
    late_fields,
    new_field,
    unknown_values,
    vendor_fields,
)
from bridge.operations.desk import Desk
from bridge.operations.mapping_edits import FileEdit, MadeEdit
from bridge.operations.permissions import Permission
from bridge.operations.unknown_values import UnknownValue
from bridge.operations.vendor_fields import IgnoredValue, UnknownField
from bridge.web.pages import visitor
from bridge.web.pages.mapping_pages import cut

pages: Final = Blueprint("values", __name__, url_prefix="/values")
SHOWN: Final = 40
"""Rows of each list on one page; with a connection chosen there are more of that one."""
LONGEST: Final = 500

Row = TypeVar("Row", UnknownValue, UnknownField, IgnoredValue)


@dataclass(frozen=True, slots=True)
class AskedPart:
    """What a form says: of which place, what it is, and what it is to be."""

    connection: str
    entity: str
    field: str
    value: str
    ours: str
    name: str
    kind: str

    @classmethod
    def of_request(cls) -> AskedPart:
        """Return what the request says; what it leaves out is empty."""
        return cls(
            **{name: request.values.get(name, "")[:LONGEST] for name in cls.__dataclass_fields__}
        )

    @property
    def place(self) -> tuple[str, str, str]:
        """Return the place as operations take it."""
        return self.connection, self.entity or "ticket", self.field

    @property
    def given(self) -> dict[str, str]:
        """Return what is not empty, for a form or an address that says the same."""
        every = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: value for name, value in every.items() if value}

    @property
    def command(self) -> str:
        """Return the command that does the same."""
        words = ["bridge", "values", "accept", self.connection, self.field]
        words += [self.value, self.ours] if self.value else []
        words += ["--entity", self.entity] if self.place[1] != "ticket" else []
        words += ["--name", self.name] if self.name else []
        words += ["--kind", self.kind] if self.kind else []
        return shlex.join(words)


@pages.get("")
@visitor.needs(Permission.SEE)
def listing() -> str:
    """Show what no file knows, the most frequent first."""
    desk = visitor.desk()
    chosen = request.args.get("connection", "")
    values = _chosen(unknown_values.unknown(desk), chosen)
    fields = _chosen(vendor_fields.unknown_fields(desk), chosen)
    ignored = _chosen(vendor_fields.ignored_values(desk), chosen)
    return render_template(
        "values.html",
        values=values[:SHOWN],
        fields=fields[:SHOWN],
        ignored=ignored[:SHOWN],
        more=sum(max(0, len(rows) - SHOWN) for rows in (values, fields, ignored)),
        chosen=chosen,
        connections=list(desk.config.connections),
        now=desk.now(),
        command="bridge values list",
    )


def _chosen(rows: Iterable[Row], connection: str) -> list[Row]:
    return [row for row in rows if not connection or row.connection == connection]


@pages.get("/accept")
@visitor.needs(Permission.CHANGE_MAPPINGS)
def preview() -> str:
    """Show the lines that would be written and what follows; nothing is done."""
    desk, asked = visitor.desk(), AskedPart.of_request()
    facts, edit = _planned(desk, asked)
    looked = accepted_parts.look_at(desk, edit)
    return render_template(
        "value_act.html",
        asked=asked,
        facts=facts,
        changes=cut(looked.differences),
        problems=looked.problems,
        published=desk.config.from_ledger,
        kinds=new_field.KINDS,
        command=asked.command,
    )


@pages.post("/accept")
@visitor.needs(Permission.CHANGE_MAPPINGS)
def accept() -> Response:
    """Take a value or a field in, as `bridge values accept` does; or make a draft of that."""
    desk, asked = visitor.desk(), AskedPart.of_request()
    if request.form.get("do") == "draft":
        return _as_draft(desk, asked)
    accounts = accepted_parts.accounts_here(desk)
    if asked.value:
        row = accepted_parts.accept_value(desk, accounts, asked.place, asked.value, asked.ours)
        follows = f"{counted(row.records, asked.place[1])} will be read again"
        done, made = f"{asked.field} of {asked.connection} reads {row.row} now", row.made
        if row.written:
            done += f", and its table `write` says which word is sent: {row.written}"
    else:
        taken = accepted_parts.accept_field(desk, accounts, asked.place, asked.name, asked.kind)
        follows = f"{asked.connection}'s {asked.place[1]}s show it as they are read"
        done, made = f"{taken.name} is read at {asked.connection} now", taken.made
        if taken.since is not None:
            follows += f"; {late_fields.reading_command(taken.since)} carries what is there already"
        if taken.others:
            done += f"; it does not travel to {', '.join(taken.others)} before its mapping has it"
    flash(f"{done}. {_what_follows(made)}: {follows}.")
    return redirect(url_for("values.listing"), 303)


@pages.post("/dismiss")
@visitor.needs(Permission.CHANGE_MAPPINGS)
def dismiss() -> Response:
    """Leave a field, or the ignored values of one, out of the list from now on."""
    asked = AskedPart.of_request()
    vendor_fields.dismiss(visitor.desk(), asked.place)
    flash(f"{asked.field} of {asked.connection} is listed no more")
    return redirect(url_for("values.listing"), 303)


def _as_draft(desk: Desk, asked: AskedPart) -> Response:
    _, edit = _planned(desk, asked)
    changes = {file.removeprefix("mappings/"): text for file, text in edit.after.items()}
    draft = drafts.begin(desk, changes, note=f"{edit.action}: {edit.subject}")
    return redirect(url_for("drafts.one", number=draft.id), 303)


def _planned(desk: Desk, asked: AskedPart) -> tuple[list[tuple[str, Any]], FileEdit]:
    """Return the facts about what is asked for, and the change of the files."""
    if asked.value:
        row = accepted_parts.plan_value(desk, asked.place, asked.value, asked.ours)
        waiting = f"at least {counted(row.records, asked.place[1])}, read again once it counts"
        facts: list[tuple[str, Any]] = [("Row", row.row), ("Table", row.at), ("Waiting", waiting)]
        if row.written:
            facts.append(("Sent from now on", row.written))
        return facts, row.edit
    field = accepted_parts.plan_field(desk, asked.place, asked.name, asked.kind)
    others = ", ".join(field.others) or "all other members have it"
    return [("Field", field.name), ("Does not travel to yet", others)], field.edit


def _what_follows(made: MadeEdit) -> str:
    if made.revision is None:
        return "Restart the bridge for it to count"
    left = " (mappings/ in the home is still as it was written)" if made.left_behind else ""
    return f"Revision {made.revision} is in force within seconds{left}"
