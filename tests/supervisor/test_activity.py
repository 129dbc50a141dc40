from __future__ import annotations

import io
import json
from datetime import UTC, datetime

from rich.console import Console

from bridge.cli.activity_lines import print_row, row_text
from bridge.cli.value_text import short_value
from bridge.core.model.state import FieldState, Link, Side
from bridge.ledger.timeline import TimelineEntry
from bridge.supervisor.activity import activity_row

AT = datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)


def link() -> Link:
    sides = {"helpdesk": Side("helpdesk", "tkt_1"), "product": Side("product", "0123456789abcdef")}
    return Link("l1", "s", "ticket", {"status": FieldState("open", 2, "helpdesk")}, sides)


def line(kind: str, connection: str = "product", **detail) -> TimelineEntry:
    return TimelineEntry(1, "l1", AT, kind, connection, detail.pop("field", ""), detail)


def test_a_write_says_from_where_to_where_and_what():
    given = activity_row(line("wrote", verb="update", sent={"status": "open"}), link())
    assert given["by"] == ["helpdesk"]
    assert given["id"] == "0123456789abcdef"
    assert "wrote       helpdesk → product:01234567…  status open" in row_text(given).plain


def test_a_conflict_shows_both_values_and_the_winner():
    mine, theirs = {"by": "product", "value": "open"}, {"by": "helpdesk", "value": None}
    told = line(
        "conflict", field="status", mine=mine, theirs=theirs, winner="helpdesk", why="later"
    )
    given = activity_row(told, link())
    assert "status  product open / helpdesk —  helpdesk wins" in row_text(given).plain


def test_json_is_a_line_of_the_same(capsys):
    given = activity_row(line("created", ref="product:abc"), None)
    print_row(Console(), given, as_json=True)
    assert json.loads(capsys.readouterr().out) == given
    assert given["id"] == "abc"


def test_what_a_vendor_sent_cannot_command_the_terminal():
    assert short_value("a\x1b[2Jb\nc") == "a·[2Jb·c"
    stream = io.StringIO()
    print_row(
        Console(file=stream),
        activity_row(line("wrote", sent={"status": "[bold]\x1b[31mx"}), link()),
        as_json=False,
    )
    assert "\x1b" not in stream.getvalue()
    assert "[bold]" in stream.getvalue()


def test_values_are_shown_short():
    assert short_value(["b", "a"]) == "b, a"
    assert short_value([]) == "(none)"
    assert short_value({"email": "mary@example.com"}) == "mary@example.com"
    assert len(short_value("x" * 500)) == 48
