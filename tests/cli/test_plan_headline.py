"""What a plan says first: it claims nothing about systems that nobody could ask."""

import pytest

from bridge.cli.plan_lines import print_plan
from bridge.core.planning.planned_write import PlannedWrite
from bridge.preview.dry_run import Preview
from tests.cli.conftest import KEYS

URLS = ("HELPDESK_URL", "PRODUCT_URL", "DESK_URL", "FEEDBACK_URL", "SCREENS_URL")
NOBODY = dict.fromkeys(URLS, "http://127.0.0.1:1")


@pytest.fixture
def home(run, tmp_path):
    run("init", str(tmp_path))
    run("--home", str(tmp_path), "db", "upgrade", environ=KEYS)
    return str(tmp_path)


def test_a_ledger_that_knows_nothing_gets_a_hint(run, home):
    result = run("--home", home, "plan", environ=KEYS)
    assert result.exit_code == 0
    assert result.output.startswith("the ledger knows no tickets yet: `bridge plan --live` lists")
    assert "nothing would be written" not in result.output


def test_systems_that_do_not_answer_are_named_and_it_fails(run, home):
    result = run("--home", home, "plan", "--live", environ=KEYS | NOBODY)
    assert result.exit_code == 1
    assert result.output.startswith(
        "nothing can be said: no system answered well (desk, feedback, helpdesk, product, screens)"
    )
    stopped = [line for line in result.output.splitlines() if line.startswith("stopped: ")]
    assert stopped
    assert len(stopped) == len(set(stopped)) == 5


@pytest.mark.parametrize(
    ("plan", "first"),
    [
        (Preview(live=True), "nothing would be written"),
        (
            Preview(live=True, silent=["desk"]),
            "nothing would be written, as far as can be said without desk",
        ),
        (Preview(live=False, known=3), "nothing would be written"),
    ],
)
def test_the_first_line(capsys, plan, first):
    print_plan(plan, [], 5)
    assert capsys.readouterr().out.splitlines()[0] == first


def test_a_write_is_shown_with_the_subject_and_the_value_of_before(capsys):
    write = PlannedWrite(
        "update",
        "product",
        "ticket",
        "17",
        values={"status": "pending"},
        sent={"status": "pending", "priority": "high"},
        before={"status": "open"},
        subject="It does not print\x1b[2J",
    )
    print_plan(Preview(live=False, writes=[write], known=1), [], 5)
    line = capsys.readouterr().out.splitlines()[2].strip()
    assert line.startswith("update 17  “It does not print")
    assert line.endswith("status open → pending  priority high")
    assert "\x1b" not in line
