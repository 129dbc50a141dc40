"""`bridge mappings test`, as it is typed, on homes whose files are right, and wrong in each way."""

import json
import shutil

import pytest

from bridge.home import shipped_folder


@pytest.fixture
def home(tmp_path):
    """A home with mappings alone: no other file, and no key, is needed."""
    shutil.copytree(shipped_folder("mappings"), tmp_path / "mappings")
    return tmp_path


def changed(home, old, new, file="switch"):
    path = home / "mappings" / f"{file}.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return path


def line_of(path, text):
    (number,) = [
        n for n, line in enumerate(path.read_text().split("\n"), 1) if line.startswith(text)
    ]
    return number


def test_examples_that_are_met_are_listed_with_their_place(run, home):
    done = run("--home", str(home), "mappings", "test")
    assert done.exit_code == 0, done.output
    assert "ok      mappings/switch.yaml:29  ticket 1  tkt_1\n" in done.output
    assert done.output.endswith("24 examples, none failed\n")


@pytest.mark.parametrize("name", ["switch", "switch.yaml", "mappings/switch.yaml"])
def test_one_file_can_be_named_in_any_usual_way(run, home, name):
    changed(home, "system: posthog", "system: none", "posthog")  # and is not looked at
    done = run("--home", str(home), "mappings", "test", name)
    assert (done.exit_code, done.output.count("switch.yaml"), "posthog" in done.output) == (
        0,
        9,
        False,
    )


def test_what_differs_is_shown_with_expected_got_and_the_line_of_the_mapping(run, home):
    path = changed(home, "in_progress: open, pending", "in_progress: pending, pending")
    done = run("--home", str(home), "mappings", "test", "switch")
    assert done.exit_code == 1
    assert (
        f"failed  mappings/switch.yaml:29  ticket 1  tkt_1\n"
        f"    canonical.status  mappings/switch.yaml:{line_of(path, '    status:')}\n"
        f"        expected  'open'\n"
        f"        got       'pending'\n"
    ) in done.output
    assert done.output.endswith("9 examples, 1 failed\n")


def test_each_part_of_an_example_is_compared(run, home):
    changed(home, "assignee_id: usr_1", "assignee_id: usr_2\n        colour: red")
    changed(home, "unreadable: [status, assignee, team]", "unreadable: [tags, subject]")
    done = run("--home", str(home), "mappings", "test", "switch", "--json")
    assert done.exit_code == 1
    rows = [json.loads(line) for line in done.output.splitlines()]
    found = {
        (row["number"], each["where"][-1], each["field"]): (each["expected"], each["got"])
        for row in rows
        if row["entity"] == "ticket"
        for each in row["differences"]
    }
    assert found == {
        (1, "assignee_id", "assignee"): ("'usr_2'", "'usr_1'"),
        (1, "colour", ""): ("'red'", "nothing"),
        (3, "unreadable", "tags"): ("no reading", "nothing: the record does not show it"),
        (3, "unreadable", "subject"): ("no reading", "nothing: the record does not show it"),
    }
    assert [row["ok"] for row in rows if row["entity"] == "ticket"] == [False, True, False]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  examples:\n", "  examples: many\n  others:\n", "ticket.others: unknown key"),
        ("    - given: {id: tkt_2,", "    - gven: {id: tkt_2,", "ticket.examples[1].gven: unknown"),
        ("{usr_1: mary@example.com}", "[usr_1]", "agents: must have rows such as key: value"),
        ("path: status", "path: [", "mappings/switch.yaml:"),
    ],
)
def test_a_file_that_cannot_be_tried_says_why(run, home, old, new, said):
    changed(home, old, new)
    done = run("--home", str(home), "mappings", "test", "switch")
    assert done.exit_code == 1
    assert said in done.output


def test_a_file_that_there_is_not_is_wrong_usage(run, home):
    done = run("--home", str(home), "mappings", "test", "mappings/gone.yaml")
    assert done.exit_code == 2
    assert "gone.yaml is no mapping of this home; allowed: posthog, scopeai" in done.output


def test_fields_of_ones_own_are_known(run, home):
    changed(home, "values: [billing, product, infra]", "values: [billing, product]", "fields")
    done = run("--home", str(home), "mappings", "test", "switch")
    assert done.exit_code == 1
    assert "'infra' is no team; allowed billing, product, null" in done.output
