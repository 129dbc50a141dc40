"""`bridge mappings record`, as it is typed: a live record becomes an example of its mapping."""

import json

import pytest

from bridge.ledger import audit
from tests.cli.hand import Hand

ANA, NAME = "Ana.Lima@customer.example", "Ana \u202eLima"


@pytest.fixture
def hand(run, tmp_path):
    made = Hand(run, tmp_path / "home")
    yield made
    made.close()


@pytest.fixture
def visitor(hand):
    tags, secret = ["#beta", "VIP"], "sk_live_4f9a8b7c6d5e"
    return hand.box.create({"identities": [ANA, NAME], "tags": tags, "unique_id": secret})["id"]


def file_of(hand):
    return hand.home / "mappings" / "upscope.yaml"


def test_it_is_printed_with_nobody_in_it_and_no_file_changes(hand, visitor):
    before = file_of(hand).read_bytes()
    done = hand("mappings", "record", f"screens:{visitor}", "--entity", "customer")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("- given:\n    ")
    assert '  canonical:\n    email: "person1@example.com"\n' in done.output
    shown = done.output.casefold()
    for word in ("ana", "lima", "customer.example", "4f9a", "sk_live", "beta", visitor.casefold()):
        assert word not in shown
    assert "\u202e" not in done.output
    assert file_of(hand).read_bytes() == before


@pytest.mark.parametrize("ref", [("screens:{}",), ("{}", "--connection", "screens")])
def test_it_goes_to_the_end_of_its_examples_and_is_run(hand, visitor, ref):
    before = file_of(hand).read_text()
    words = [word.format(visitor) for word in ref]
    done = hand("mappings", "record", *words, "--entity", "customer", "--write")
    assert done.exit_code == 0, done.output
    (last,) = [line for line in done.output.splitlines() if line.startswith("ok ")]
    start = int(last.split()[1].partition(":")[2]) - 1
    lines, old = file_of(hand).read_text().split("\n"), before.split("\n")
    assert lines[start] == "    - given:"
    assert lines[:start] + lines[start + len(lines) - len(old) :] == old
    assert hand("mappings", "test", "upscope").exit_code == 0
    with hand.ledger.read() as tx:
        (entry,) = audit.recent(tx)
    assert (entry["action"], entry["subject"]) == ("example recorded", f"screens:{visitor}")


def test_for_programs_it_is_one_line(hand, visitor):
    done = hand("mappings", "record", f"screens:{visitor}", "--entity", "customer", "--json")
    row = json.loads(done.output)
    assert (row["file"], row["entity"]) == ("mappings/upscope.yaml", "customer")
    assert row["example"]["canonical"]["email"] == "person1@example.com"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("screens:GONE", "--entity", "customer"), "shows no customer GONE"),
        (("nowhere:1",), "no connection nowhere"),
        (("screens:1",), "has no ticket"),
        (("1",), "is no record"),
    ],
)
def test_what_is_no_record_is_wrong_usage(hand, words, said):
    done = hand("mappings", "record", *words)
    assert (done.exit_code, said in done.output) == (2, True), done.output


def test_a_file_that_would_not_hold_with_it_stays_as_it_is(hand, visitor):
    (hand.home / "mappings" / "syncs.yaml").write_text("tickets: {}\n", "utf-8")
    before = file_of(hand).read_bytes()
    done = hand("mappings", "record", f"screens:{visitor}", "--entity", "customer", "--write")
    assert done.exit_code == 2
    assert file_of(hand).read_bytes() == before
