"""`bridge mappings effect`, as it is typed."""

import json
import re
import shutil
from collections import Counter

import pytest
from click.testing import CliRunner

from bridge.cli import main
from bridge.cli.effect_lines import print_effect
from bridge.config.mapping_texts import read_folder
from bridge.ledger import mapping_revisions
from bridge.workbench.effect_summary import EffectSummary
from tests.cli.conftest import KEYS
from tests.flow.estate import SWITCH_AND_POSTHOG, Estate


@pytest.fixture(scope="module")
def estate(tmp_path_factory):
    """Three tickets of the help desk, one of them pending, known at the product, too."""
    folder = tmp_path_factory.mktemp("effect") / "home"
    made = Estate.on_disk(folder, files={"mappings/syncs.yaml": SWITCH_AND_POSTHOG})
    for number, status in enumerate(("open", "pending", "open")):
        began = made.apps["helpdesk"].create(
            {"subject": f"Ticket {number}", "customer_email": f"c{number}@example.com"}
        )
        made.apps["helpdesk"].edit(began["id"], {"status": status})
        made.hint("helpdesk", began["id"])
    yield made
    made.ledger.close()


@pytest.fixture
def folder(estate, tmp_path):
    """The mappings of the home, in a folder of their own."""
    return shutil.copytree(estate.folder / "mappings", tmp_path / "tried")


ON_HOLD = {
    "pending: pending, resolved": "pending: on_hold, resolved",
    "pending: pending, on_hold: pending": "on_hold: pending",
    "    priority:  ": "      not_carried: [pending]\n    priority:  ",
}
"""The help desk's `pending` means on hold from now on."""


def change(folder, name, rows):
    path = folder / name
    text = path.read_text().partition("  examples:")[0]
    for before, after in rows.items():
        assert before in text
        text = text.replace(before, after)
    path.write_text(text)


def typed(estate, *words, code=0):
    """What a command says in the home of the estate."""
    command = ["--home", str(estate.folder), "mappings", "effect", *map(str, words)]
    done = CliRunner().invoke(main, command, env=KEYS, prog_name="bridge")
    assert done.exit_code == code, done.output
    return done.output


def journals(estate):
    return {name: len(app.journal.since()) for name, app in estate.apps.items()}


def test_the_files_in_force_change_nothing(estate):
    assert "3 tickets looked at, 0 concerned, 0 of them written to" in typed(estate)


def test_a_changed_table_shows_what_would_be_written_and_nothing_is(estate, folder, tmp_path):
    change(folder, "switch.yaml", ON_HOLD)
    before, plan = journals(estate), tmp_path / "plan.jsonl"
    said = typed(estate, "--from", folder, "--plan", plan)
    assert "3 tickets looked at, 1 concerned, 1 of them written to" in said
    assert "product: 1 update" in said
    assert "status 1: pending → on_hold 1" in said
    assert "agreed status moves from pending to on_hold: 1 ticket" in said
    assert "calls: product 2" in said
    (line,) = map(json.loads, plan.read_text().splitlines())
    assert (line["op"], line["connection"], line["sent"]) == (
        *("update", "product"),
        {"status": "on_hold"},
    )
    assert plan.stat().st_mode & 0o077 == 0
    assert journals(estate) == before


def test_what_nobody_has_read_yet_is_counted_and_not_guessed(estate, folder):
    moved = {"team: anonymous_traits.support_team": "team: anonymous_traits.crew"}
    change(folder, "posthog.yaml", moved)
    found = json.loads(typed(estate, "--from", folder, "--json"))
    assert found["unread"] == [{"connection": "product", "field": "team", "count": 3}]
    assert (found["tickets"], found["writes"]) == (0, [])


def test_wrong_mappings_are_refused_with_their_lines(estate, folder):
    change(folder, "switch.yaml", {"path: priority": "path: priority\n      wrong: true"})
    assert "switch.yaml" in typed(estate, "--from", folder, code=2)


def test_a_revision_that_there_is_not_is_named(estate):
    assert "no revision 7 of the mappings" in typed(estate, "--revision", 7, code=2)
    assert "give one of" in typed(estate, "--revision", 7, "--from", "/", code=2)


def test_what_is_in_force_is_carried_out_as_it_was_shown(estate, folder):
    change(folder, "switch.yaml", ON_HOLD)
    with estate.ledger.transaction() as tx:
        for files in (read_folder(estate.folder / "mappings"), read_folder(folder)):
            mapping_revisions.add(tx, files, author="ana", now=estate.clock.now())
    estate.start({"mappings/switch.yaml": (folder / "switch.yaml").read_text()})
    said = estate.command("mappings", "apply", "--yes", "--override-unsafe")
    assert "the mappings in force, against revision 1:" in said
    assert "status 1: pending → on_hold 1" in said
    (run,) = re.findall(r"run (\d+) carries it out", said)
    estate.settle()
    shown = Counter(row["status"] for row in estate.apps["product"].tickets())
    assert shown == {"open": 2, "on_hold": 1}
    assert f"run {run} (mapping of helpdesk) made 0 records and wrote to others 1 time" in (
        estate.command("undo", run, "--dry-run")
    )
    assert "0 concerned" in estate.command("mappings", "apply", "--yes")


def test_what_is_looked_at_is_called_what_it_is(capsys):
    found = EffectSummary({}, looked_at=4, entities=Counter(ticket=3, customer=1), tickets=1)
    found.concerned["customer"], found.moved["tags", "", ""] = 1, 1
    print_effect(found)
    said = capsys.readouterr().out
    assert "3 tickets and 1 customer looked at, 1 concerned" in said
    assert "agreed tags moves: 1 customer" in said
