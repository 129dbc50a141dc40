"""`bridge mappings preview`, as it is typed."""

import json

import pytest

from bridge.core.model.outcome_codes import Code
from bridge.core.model.state import FieldState, Link, Side, SideField
from bridge.ledger import links
from tests.cli.test_operator import NOW, Home


@pytest.fixture
def home(run, tmp_path):
    made = Home(run, tmp_path)
    yield made
    made.ledger.close()


def a_record(tmp_path, **values):
    path = tmp_path / "record.json"
    path.write_text(json.dumps(values))
    return str(path)


def test_a_record_from_a_file_is_shown_with_its_reading_and_the_line_that_says_so(home, tmp_path):
    record = a_record(tmp_path, id="tkt_1", status="in_progress", tags=["A", "#b"])
    shown = home("mappings", "preview", record, "--connection", "helpdesk")
    (line,) = [line for line in shown.splitlines() if line.startswith("status") and "in_p" in line]
    assert line.split()[:3] == ["status", "open", "in_progress"]
    assert "mappings/switch.yaml:" in line
    assert "product would be sent" in shown


def test_what_has_no_reading_is_named_with_what_to_do(home, tmp_path):
    record = a_record(tmp_path, id="tkt_1", status="archived")
    (row,) = home.json("mappings", "preview", record, "--connection", "helpdesk")
    (status,) = [each for each in row["readings"] if each["field"] == "status"]
    assert status["why"].endswith("the table `read` of status has no row for 'archived'; add one")
    assert status["code"] == "BRG-READ-VALUE"
    assert not [each for each in row["writings"]["product"] if each["field"] == "status"]


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        ("[1]", ("--connection", "helpdesk"), "must hold one record"),
        ("{", ("--connection", "helpdesk"), "is no JSON"),
        ("{}", ("--connection", "nowhere"), "no connection nowhere; allowed: "),
        ("{}", ("--connection", "helpdesk", "--entity", "thing"), "has no thing; allowed: ticket"),
        ("{}", (), "--connection whose record it is"),
        ("{}", ("--ref", "helpdesk:1"), "give one of"),
    ],
)
def test_what_cannot_be_tried_is_said(home, tmp_path, text, arguments, said):
    path = tmp_path / "record.json"
    path.write_text(text)
    code = 1 if said in ("must hold one record", "is no JSON") else 2
    assert said in home("mappings", "preview", str(path), *arguments, code=code)


@pytest.mark.parametrize("ref", ["helpdesk", "helpdesk:", "nowhere:1"])
def test_a_ref_that_names_no_record_is_wrong_usage(home, ref):
    home("mappings", "preview", "--ref", ref, code=2)


def test_vendor_text_in_a_preview_is_shown_and_not_obeyed(home, tmp_path):
    record = a_record(tmp_path, id="tkt_1", subject="\x1b[31mred\u202e [bold]x[/bold]")
    shown = home("mappings", "preview", record, "--connection", "helpdesk")
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "[bold]x[/bold]" in shown


def unread(home, value="archived", name="status", number=1):
    """A ticket of which no mapping can read a field, usually the status."""
    field = SideField(
        shadow="open", map_rev="r", level=1, seen_at=NOW, unreadable="no reading", shown=value,
        unreadable_code=Code.READ_VALUE,
    )  # fmt: skip
    state = {name: FieldState("open", 1, "helpdesk")}
    link = Link(f"l{number}", "support-tickets", "ticket", state)
    link.sides["helpdesk"] = Side("helpdesk", f"tkt_{number}", {name: field})
    with home.ledger.transaction() as tx:
        assert links.create(tx, link, NOW)


def test_a_value_without_a_reading_is_listed_with_its_line_and_accepted_into_it(home):
    unread(home)
    shown = home("values", "list")
    assert "helpdesk: status 'archived', 1 ticket waiting" in shown
    assert "mappings/switch.yaml:" in shown
    assert "helpdesk:tkt_1" in shown
    file = home.path / "mappings" / "switch.yaml"
    before = file.read_text()
    home("values", "accept", "helpdesk", "status", "archived", "closed")
    assert file.read_text() == before.replace(
        "closed: closed}\n      write", "closed: closed, archived: closed}\n      write", 1
    )
    assert "value accepted" in home("audit")


def test_a_file_with_other_line_ends_keeps_them(home):
    unread(home)
    file = home.path / "mappings" / "switch.yaml"
    before = file.read_bytes().replace(b"\n", b"\r\n")
    file.write_bytes(before)
    home("values", "accept", "helpdesk", "status", "archived", "closed")
    assert file.read_bytes().replace(b", archived: closed", b"") == before


@pytest.mark.parametrize(
    ("value", "ours", "code", "said"),
    [
        ("gone", "closed", 2, "what waits of tickets: archived"),
        ("archived", "asleep", 2, "allowed: new, open"),
    ],
)
def test_what_cannot_be_accepted_leaves_the_file_alone(home, value, ours, code, said):
    unread(home)
    file = home.path / "mappings" / "switch.yaml"
    before = file.read_bytes()
    assert said in home("values", "accept", "helpdesk", "status", value, ours, code=code)
    assert file.read_bytes() == before


def test_the_proof_is_shown_with_what_travels_where(home, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    shown = home("mappings", "check")
    assert "0 refused, 0 warnings, " in shown
    assert "for example: 'on_hold' at product → on_hold → 'pending' at helpdesk → pending" in shown
    (line,) = [each for each in shown.splitlines() if each.startswith("status ")]
    assert line.count("both ways (lossy)") == 3
    assert "lossy: some of our values cannot be told apart there" in shown
    only = home("mappings", "check", "--matrix")
    assert line in only.splitlines()
    assert "refused" not in only


def broken(home):
    file = home.path / "mappings" / "zaia.yaml"
    text = file.read_text()
    file.write_text(text.replace("closed: completed}", "closed: ongoing}"))
    assert file.read_text() != text


def test_what_is_refused_is_said_with_the_row_that_mends_it_and_a_start_goes_on(home):
    broken(home)
    shown = home("mappings", "check", code=1)
    assert "try: closed: completed" in shown
    said = "what is over would be open again at desk: it says 'ongoing' there"
    assert said in shown
    assert said in home("check", code=1)
    assert said not in home("status")


def test_findings_are_data_for_programs(home):
    broken(home)
    told = json.loads(home("mappings", "check", "--json", code=1))
    assert told["ok"] is False
    (finding,) = [each for each in told["findings"] if each["severity"] == "refused"]
    assert finding["law"] == "round-trip"
    assert finding["at"].startswith("mappings/zaia.yaml:")
    assert finding["path"] == "ticket.fields.status.write.closed"
    assert finding["connections"] == ["desk", "helpdesk"]
    assert finding["example"] == "'closed' at helpdesk → closed → 'ongoing' at desk → open"
    assert finding["proposed"] == "closed: completed"
    assert {row["sync"] for row in told["matrix"]} >= {"support-tickets", "customers"}


def test_a_value_that_waits_in_the_ledger_is_part_of_the_proof(home):
    unread(home)
    told = json.loads(home("mappings", "check", "--json"))
    assert told["ledger_seen"] is True
    (finding,) = [each for each in told["findings"] if each["law"] == "seen"]
    assert finding["what"].startswith("helpdesk shows 'archived' on 1 ticket")
    assert finding["severity"] == "warning"
