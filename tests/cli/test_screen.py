"""What a customer wrote is text, on a terminal and in a pipe: shown, and obeyed by nobody."""

import io
import json
import sys
import unicodedata

import pytest
from rich.table import Table
from rich.text import Text

from bridge.cli.screen import Screen, say
from bridge.core.model.state import FieldState, Link, Note, Side, SideField
from bridge.ledger import conflict_log, links, timeline
from bridge.observability.log import configure
from bridge.observability.visible_text import visible, visible_json
from tests.cli.test_operator import NOW, Home

BRACKETS = [
    "See [/var/log/app.log] please",
    "[/quote] thanks",
    "[external] Invoice",
    "array[0] and [a]",
    "[bold]x",
    ":smile: x",
    "[@click=app.bell]x[/]",
]
OBEYED = {
    "clear the screen": "\x1b[2J",
    "set the title": "\x1b]0;t\x07",
    "one-character CSI": "\x9b2J",
    "right to left": "\u202e",
    "isolate": "\u2066x\u2069",
    "a line of its own": "x\r\nok  everything",
    "line separator": "x\u2028y",
    "null": "x\x00y",
    "tag characters": "x\U000e0041",
}
COMMANDS = [
    ("ticket", "l1"),
    ("tickets",),
    ("audit",),
    ("why", "l1", "subject"),
    ("why", "l1", "status"),
    ("parked", "list"),
    ("parked", "list", "--rows"),
    ("conflicts", "list"),
    ("status",),
    ("drift",),
    ("agents",),
    ("inbox", "list"),
    ("doctor",),
]


@pytest.fixture
def home(run, tmp_path):
    made = Home(run, tmp_path)
    yield made
    made.ledger.close()


def fill(home, text, ticket="l1"):
    """Give a ticket, its timeline, a conflict and a parked row the text in every place."""
    link = Link(ticket, "support-tickets", "ticket")
    link.state["subject"] = FieldState(text, 3, "helpdesk")
    link.state["tags"] = FieldState([text, "vip"], 3, "helpdesk")
    link.state["status"] = FieldState("open", 3, "helpdesk")
    link.state["status"].candidates = {"helpdesk": text, "product": "open"}
    link.state["status"].why_open = f"both were edited, {text}"
    for name in ("helpdesk", "product"):
        fields = {
            "subject": SideField(shadow=text, map_rev="x", level=3),
            "tags": SideField(shadow=[text], map_rev="x", level=3),
            "status": SideField(shadow=text, map_rev="x", level=3),
        }
        link.sides[name] = Side(name, f"r-{name}-{ticket}", fields)
    notes = [
        Note("changed", "helpdesk", "subject", {"value": text, "before": [text], "why": text}),
        Note("refused", "product", "status", {"why": text, "value": {"id": text}}),
    ]
    with home.ledger.transaction() as tx:
        assert links.create(tx, link, NOW)
        conflict_log.record(tx, link, [], NOW)
        timeline.add(tx, ticket, NOW, notes)
    home.park(ticket, f"the vendor says {text}", "Refused", link_id=ticket)


def is_harmless(text):
    return all(char == "\n" or unicodedata.category(char)[0] != "C" for char in text)


def test_brackets_are_shown_as_they_are(home):
    for number, text in enumerate(BRACKETS, 1):
        fill(home, text, f"l{number}")
        shown = " ".join(home("ticket", f"l{number}").split())
        assert shown.count(" ".join(text.split())) >= 5
        assert text in home("why", f"l{number}", "subject")
        assert text in home("parked", "list", "--rows")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_command_prints_what_a_terminal_obeys(home, words):
    fill(home, "".join(OBEYED.values()))
    shown = home(*words, code=1 if words == ("doctor",) else 0)
    assert is_harmless(shown)
    # Nor does it forge a line.
    assert not any(line.startswith("ok  everything") for line in shown.splitlines())


def test_json_is_harmless_and_has_the_value_itself(home):
    text = "".join([*BRACKETS, *OBEYED.values()])
    fill(home, text)
    for words in (("ticket", "l1"), ("why", "l1", "subject"), ("parked", "list", "--rows")):
        printed = home(*words, "--json")
        assert is_harmless(printed)
    (ticket,) = home.json("ticket", "l1")
    assert ticket["state"]["subject"]["value"] == text


def test_a_screen_takes_text_as_text():
    screen = Screen()
    screen.file, screen.width = io.StringIO(), 80
    table = Table("a[/]b", box=None)
    table.add_row("\x1b[31mred\u202e[/x]")
    screen.print(table)
    screen.print("[bold]\x9b2J", style="green")
    screen.print(Text("of a style \x9b2J\u202e", "bold"))
    shown = screen.file.getvalue()
    assert "a[/]b" in shown
    assert "·[31mred·[/x]" in shown
    assert "[bold]·2J" in shown
    assert "of a style ·2J·" in shown
    assert "\x9b" not in shown


def test_every_code_point_is_seen_or_replaced():
    every = "".join(map(chr, range(0x110000)))
    kept = set(visible(every))
    assert len(visible(every)) == len(every)
    assert {chr(code) for code in range(0x20, 0x7F)} <= kept
    assert all(char in kept for char in "é日ع👍\u200d\u00a0")
    assert not any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in kept)
    assert not any(unicodedata.bidirectional(char) in BIDI for char in kept)


BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@pytest.mark.parametrize("char", ["\x1b", "\u202e", "\ud83d", "\U000e0041", "\x7f"])
def test_escaped_json_reads_as_the_same_value(char):
    document = visible_json(json.dumps({"a": f"x{char}y"}, ensure_ascii=False))
    assert is_harmless(document)
    assert json.loads(document) == {"a": f"x{char}y"}


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("text", OBEYED.values(), ids=OBEYED)
def test_a_log_line_is_one_harmless_line(form, text):
    import logging

    stream = io.StringIO()
    configure("worker", form=form, stream=stream)
    logging.getLogger("bridge.test").warning("vendor says %s", text, extra={"subject": text})
    (line,) = stream.getvalue().splitlines()
    assert is_harmless(line)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_on_a_terminal_a_long_line_goes_on_below_and_no_word_is_cut(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "40")
    say("  helpdesk:tkt_0123456789  is out of scope, or was closed", "short")
    assert terminal.getvalue().splitlines() == [
        "  helpdesk:tkt_0123456789  is out of",
        "      scope, or was closed",
        "short",
    ]


def test_in_a_pipe_each_line_and_each_row_of_a_table_is_one_line(monkeypatch, capsys):
    monkeypatch.delenv("COLUMNS", raising=False)
    long = "word " * 100
    table = Table(box=None)
    table.add_column("a")
    table.add_column("b")
    table.add_row(long, long)
    say(long)
    screen = Screen()
    screen.print(table)
    screen.print(long)
    lines = capsys.readouterr().out.splitlines()
    assert [line.count("word") for line in lines] == [100, 0, 200, 100]


def test_a_table_that_is_printed_whole_cuts_no_identifier(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    table = Table(box=None)
    for name in ("one", "other"):
        table.add_column(name, no_wrap=True)
    table.add_row("f" * 36, "0" * 36)
    screen = Screen()
    screen.print_whole(table)
    assert "f" * 36 + "  " + "0" * 36 in capsys.readouterr().out
    assert screen.width == 40
