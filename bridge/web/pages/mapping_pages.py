"""Mappings: the files in force, what travels where, and what was published; nothing is changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from flask import Blueprint, current_app, render_template, request

from bridge.errors import UnknownName
from bridge.operations import mapping_sheet, revision_runs, revisions
from bridge.operations.desk import Desk
from bridge.operations.file_differences import FileDifference, differences
from bridge.operations.mapping_sheet import PEOPLE, MappingSheet
from bridge.operations.permissions import Permission
from bridge.web.pages import visitor
from bridge.workbench.carry_matrix import LOSSY, MEANINGS, TRIED

pages: Final = Blueprint("mappings", __name__, url_prefix="/mappings")
MATRIX: Final = "kept matrix"
"""Under this name the application keeps what travels where."""
PAGE_SIZE: Final = 50
SHOWN_LINES: Final = 500
"""Lines of differences, or of a file, on one page."""
LONGEST_LINE: Final = 400


@pages.get("")
@visitor.needs(Permission.SEE)
def listing() -> str:
    """Show the files in force, and the latest revisions."""
    desk = visitor.desk()
    return render_template(
        "mappings.html",
        sheet=mapping_sheet.sheet(desk),
        latest=revisions.history(desk, 5),
        now=desk.now(),
        command="bridge mappings history",
    )


@pages.get("/matrix")
@visitor.needs(Permission.SEE)
def matrix() -> str:
    """Show what travels where, a table for each sync."""
    rows = current_app.extensions[MATRIX].rows(visitor.desk())
    by_sync = {name: list(of_sync) for name, of_sync in groupby(rows, key=lambda row: row.sync)}
    words = [*MEANINGS.items(), ("lossy", LOSSY), ("tried", TRIED)]
    words.append(("custom", "a field of your own"))
    chosen = request.args.get("sync", "")
    return render_template(
        "matrix.html",
        syncs={name: of for name, of in by_sync.items() if chosen in ("", name)},
        names=list(by_sync),
        chosen=chosen,
        words=words,
        command="bridge mappings check --matrix",
    )


@pages.get("/files/<name>")
@visitor.needs(Permission.SEE)
def file(name: str) -> str:
    """Show one file in force, with the numbers of its lines."""
    sheet = mapping_sheet.sheet(visitor.desk())
    lines = text_of(sheet, name).splitlines()
    first = max(1, request.args.get("from", 1, type=int))
    return render_template(
        "mapping_file.html",
        name=name,
        lines=[line[:LONGEST_LINE] for line in lines[first - 1 : first - 1 + SHOWN_LINES]],
        first=first,
        next=first + SHOWN_LINES if len(lines) >= first + SHOWN_LINES else None,
        sheet=sheet,
        hidden=name == PEOPLE and not visitor.may(Permission.SEE_PERSONAL),
        command="bridge mappings export DIR",
    )


def text_of(sheet: MappingSheet, name: str) -> str:
    """Return the text of a file. Raises UnknownName with those that there are."""
    if name not in sheet.texts:
        raise UnknownName(f"there is no mappings/{name}; there are {', '.join(sheet.texts)}")
    return sheet.texts[name]


@pages.get("/history")
@visitor.needs(Permission.SEE)
def history() -> str:
    """Show what was published, the newest first."""
    desk, before = visitor.desk(), request.args.get("before", type=int)
    rows = revisions.history(desk, PAGE_SIZE + 1, before)
    newest = revisions.history(desk, 1)
    return render_template(
        "mapping_history.html",
        rows=rows[:PAGE_SIZE],
        newest=newest[0].number if newest else 0,
        next=rows[PAGE_SIZE - 1].number if len(rows) > PAGE_SIZE else None,
        began=before is not None,
        now=desk.now(),
        command="bridge mappings history",
    )


@pages.get("/revisions/<int:number>")
@visitor.needs(Permission.SEE)
def revision(number: int) -> str:
    """Show one revision: what it changed, what was found out about it, and its run."""
    desk = visitor.desk()
    found = revisions.get(desk, number)
    newest = revisions.history(desk, 1)[0].number
    parent = found.head.parent
    before = revisions.get(desk, parent).files if parent else {}
    parts = {
        "head": found.head,
        "in_force": number == newest,
        "changes": cut(seen_differences(differences(before, found.files))),
        "runs": revision_runs.of_revision(desk, number),
        "published": desk.config.from_ledger,
        "now": desk.now(),
    }
    if request.headers.get("HX-Request"):
        return render_template("revision_runs.html", **parts)
    command = f"bridge mappings diff {parent} {number}" if parent else "bridge mappings history"
    return render_template("revision.html", command=command, **parts)


@pages.get("/compare")
@visitor.needs(Permission.SEE)
def compare() -> str:
    """Show what differs between two revisions."""
    desk = visitor.desk()
    old, new = (request.args.get(name, type=int) for name in ("old", "new"))
    newest = revisions.history(desk, 1)
    new = new or (newest[0].number if newest else 0)
    old = old if old is not None else max(0, new - 1)
    return render_template(
        "compare.html",
        old=old,
        new=new,
        changes=cut(seen_differences(differences(_files(desk, old), _files(desk, new)))),
        command=f"bridge mappings diff {old} {new}",
    )


def _files(desk: Desk, number: int) -> dict[str, str]:
    return dict(revisions.get(desk, number).files) if number else {}


@dataclass(frozen=True, slots=True)
class ShownDifference:
    """What differs of a file, as far as it is on the page."""

    file: str
    change: str
    lines: list[str]
    more: int
    """Lines that are left out."""


def cut(found: Iterable[FileDifference]) -> list[ShownDifference]:
    """Return differences with no more lines than a page may have, all together."""
    left, shown = SHOWN_LINES, []
    for each in found:
        lines = [line[:LONGEST_LINE] for line in each.lines[:left]]
        left -= len(lines)
        shown.append(ShownDifference(each.file, each.change, lines, len(each.lines) - len(lines)))
    return shown


def seen_differences(found: Iterable[FileDifference]) -> list[FileDifference]:
    """Return differences as whoever looks may see them."""
    if visitor.may(Permission.SEE_PERSONAL):
        return list(found)
    return mapping_sheet.without_people(found)
