"""What pages are made of: cells, sentences, the map, and what needs a human first."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.core.model.outcome_codes import ENTRIES, Code
from bridge.ledger import connection_health
from bridge.ledger.timeline import TimelineEntry
from bridge.operations import status, tickets
from bridge.operations.needs import needs
from bridge.operations.sync_map import sync_map
from bridge.operations.ticket_cells import CellMark, sheet
from bridge.operations.timeline_sentences import LONGEST_VALUE, SENTENCES, sentences
from bridge.operations.trouble import Trouble
from tests.flow.world import World, born
from tests.operations.desks import desk_of

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.fixture
def world(sqlite_ledger):
    return World(ledger=sqlite_ledger, names="LHP")


@pytest.fixture
def desk(world):
    return desk_of(world)


def kinds_of_notes():
    """Yield every kind of entry that the source writes by name."""
    for room in ("core", "flow", "operations", "runs"):
        for path in (ROOT / "bridge" / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.Call)
                    and ast.unparse(node.func) in {"Note", "case.note", "self.note"}
                    and node.args
                    and isinstance(node.args[0], ast.Constant)
                ):
                    yield node.args[0].value


def test_every_kind_of_entry_has_a_sentence():
    kinds = {*kinds_of_notes(), *ENTRIES}
    assert len(kinds) > 30
    assert kinds - set(SENTENCES) == set()


def entry(kind, field="status", **detail):
    return TimelineEntry(1, "a", NOW, kind, "helpdesk", field, detail)


def said(*given, **detail):
    return sentences([entry(*given, **detail)])[0]


def test_an_entry_is_a_sentence_with_its_reason_and_code():
    told = said("changed", before="open", value="{field} \x00{where}", rev=3)
    assert told.text == "status was changed at helpdesk, from open to {field} \x00{where}"
    assert (told.why, told.code, told.title) == ("", "", "")
    told = said("not carried", why="no row", code=Code.MAP_VALUE)
    assert (told.why, told.code, told.meant) == ("no row", "BRG-MAP-VALUE", False)
    assert told.title
    assert said("not carried", code=Code.MAP_ONLY_READ).meant
    assert said("a kind of later", "").text == "a kind of later"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "nothing"),
        (["a", "b"], "a, b"),
        ({"status": "open"}, "open"),
        ({"status": "open", "tags": []}, "status open, tags nothing"),
        ("x" * 500, "x" * (LONGEST_VALUE - 1) + "…"),
        ("2026-05-01T07:50:48.000000+00:00", "2026-05-01 07:50:48Z"),
    ],
)
def test_values_are_short_in_sentences(value, words):
    assert said("agreed", value=value).text == f"helpdesk says the same of status by now: {words}"


def test_what_was_erased_makes_a_sentence_too():
    assert re.fullmatch(r"status was changed .* nothing", said("changed", erased=True).text)


def marks(desk, field):
    (row,) = [row for row in sheet(desk, ref_of(desk)).rows if row.field == field]
    return {
        column.connection: cell.mark
        for column, cell in zip(sheet(desk, ref_of(desk)).columns, row.cells, strict=True)
    }


def ref_of(desk):
    (line,) = tickets.listed(desk, tickets.Wanted(), limit=2).rows
    return line.id


def test_cells_say_how_each_side_stands_to_what_was_agreed(world, desk):
    born(world)
    shown = sheet(desk, ref_of(desk))
    assert shown.subject == "It does not print"
    assert [column.connection for column in shown.columns] == ["L", "H", "P"]
    assert set(marks(desk, "status").values()) == {CellMark.AGREES}
    assert shown.timeline[-1].kind == "linked"
    (link,) = world.links()
    world.systems["L"].edit(link.sides["L"].remote_id, status="pending")
    world.systems["H"].down = True
    with desk.ledger.transaction() as tx:
        connection_health.hold(tx, "H", "by hand", desk.now())
    world.hint("L", link.sides["L"].remote_id)
    world.drain().run()
    assert marks(desk, "status")["L"] is CellMark.AGREES
    assert marks(desk, "status")["H"] is CellMark.LAGS


def test_needs_come_by_tickets_then_by_age_without_mere_notes(desk):
    shown = status.overview(desk)
    troubles = [
        Trouble(Code.DISK, "disk", NOW, "clear"),
        Trouble(Code.KEY, "old", NOW - timedelta(days=1), "mend", tickets=3),
        Trouble(Code.KEY, "note", NOW, "nothing", note=True, tickets=99),
        Trouble(Code.CONFLICT, "many", None, "decide", tickets=40),
        Trouble(Code.KEY, "new", NOW, "mend", tickets=3),
    ]
    ordered = needs(replace(shown, troubles=troubles))
    assert [each.what for each in ordered] == ["many", "old", "new", "disk"]


def test_a_refused_key_concerns_the_tickets_of_its_connection(world, desk):
    born(world)
    with desk.ledger.transaction() as tx:
        connection_health.refuse(tx, "H", "H: answered 401", desk.now())
    (trouble,) = [each for each in status.overview(desk).troubles if each.code is Code.KEY]
    assert trouble.tickets == 1


def test_the_map_shows_two_marks_and_the_ways_of_edits(world, desk):
    places = {each.name: each for each in sync_map(desk, status.overview(desk)).places}
    assert not any(each.in_step or each.healthy for each in places.values())
    born(world)
    with desk.ledger.transaction() as tx:
        connection_health.refuse(tx, "H", "H: answered 401", desk.now())
    the_map = sync_map(desk, status.overview(desk))
    places = {each.name: each for each in the_map.places}
    assert (places["L"].in_step, places["L"].healthy, places["L"].step) == (True, True, "in step")
    assert (places["H"].healthy, places["H"].health) == (False, "stopped")
    assert the_map.syncs == [("tickets", "ticket")]
    assert {(line.connection, line.gives, line.takes) for line in the_map.lines} == {
        (name, True, True) for name in "LHP"
    }
