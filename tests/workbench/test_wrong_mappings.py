"""Wrong but plausible mappings: each is refused or warned of, with its counter-example."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.config.yaml_reader import parse
from bridge.workbench.proof_findings import ProofFinding
from tests.workbench.shipped import ROOT, edited, proof_of_edits

FILE = Path(__file__).with_name("wrong_mappings.yaml")
WRONG = parse(FILE.read_text(), FILE.name).data
LEAST = 25


def edits_of(row):
    return [(edit["file"], edit["old"], edit["new"]) for edit in row["edits"]]


def without_line(finding: ProofFinding) -> str:
    return f"{finding.severity} " + re.sub(r"(?<=\.yaml):\d+: ", ": ", finding.line, count=1)


@pytest.mark.parametrize("row", WRONG, ids=lambda row: row["name"])
def test_a_wrong_mapping_is_found_with_its_counter_example(tmp_path, row):
    found = proof_of_edits(tmp_path, *edits_of(row)).proof.findings
    said = [each for each in found if each.severity != "note"]
    assert [without_line(each) for each in said] == row["findings"]
    for finding in said:
        file, _, line = finding.at.rpartition(":")
        text = (tmp_path / file).read_text().splitlines()[int(line) - 1]
        assert any(name in text for name in re.findall(r"[\w-]+", finding.path)), finding.line


def test_there_are_enough_of_them_and_each_is_another():
    assert len(WRONG) >= LEAST
    assert len({row["name"] for row in WRONG}) == len(WRONG)
    assert len({str(row["findings"]) for row in WRONG}) == len(WRONG)


def test_the_shipped_mappings_pass(tmp_path):
    proved = proof_of_edits(tmp_path)
    assert proved.config is not None
    assert proved.proof.refused == []
    assert proved.proof.warnings == []


def test_what_is_harmless_is_a_note_with_the_way_of_a_value(tmp_path):
    notes = [each.line for each in proof_of_edits(tmp_path).proof.notes]
    assert any("'in_progress' reads as open and is written as 'open': harmless" in n for n in notes)
    way = "'on_hold' at product → on_hold → 'pending' at helpdesk → pending"
    assert any(way in note for note in notes)


@pytest.mark.parametrize(
    "text",
    ["class", "level", "schema", "None", "True", "False", "dict", "str", "NoneType", "tuple"],
)
def test_no_finding_speaks_the_programmers_words(text):
    words = [finding for row in WRONG for finding in row["findings"]]
    assert not [finding for finding in words if re.search(rf"\b{text}\b", finding)]


def test_what_is_proposed_mends_what_was_found(tmp_path):
    """A row that is proposed for a table, put there, leaves nothing to propose."""
    old = "on_hold: pending, resolved"
    broken = proof_of_edits(tmp_path / "a", ("mappings/switch.yaml", old, old.replace("p", "x")))
    assert not broken.proof.matrix
    wrong = ("mappings/switch.yaml", old, "on_hold: resolved, resolved")
    (finding,) = proof_of_edits(tmp_path / "b", wrong).proof.refused
    assert finding.proposed == "on_hold: pending"
    mended = (wrong[0], wrong[1], f"{finding.proposed}, resolved")
    assert proof_of_edits(tmp_path / "c", mended).proof.refused == []


def test_edits_that_are_not_in_the_files_are_no_test(tmp_path):
    with pytest.raises(AssertionError, match="has no"):
        edited(tmp_path, ("mappings/switch.yaml", "not in it", ""))


def test_a_workspaces_own_statuses_are_what_its_tickets_move_along(tmp_path):
    words = ("waiting", "working", "done")
    usual = ("pending", "ongoing", "completed")
    file = "mappings/zaia.yaml"
    text = (ROOT / file).read_text()
    theirs = dict(zip(usual, words, strict=True))
    edits = [("config/bridge.yaml", f"[{', '.join(usual)}]", f"[{', '.join(words)}]")]
    edits += [
        (file, line, re.sub("|".join(usual), lambda found: theirs[found[0]], line))
        for line in text.splitlines()
        if re.search(r"^ +(read|status): |written: \{status|given: .*status: (pend|compl)", line)
    ]
    write = next(line for line in text.splitlines() if line.startswith("      write: {new"))
    ours = "{new: waiting, open: working, pending: working, on_hold: working, "
    edits.append((file, write, f"      write: {ours}resolved: done, closed: done}}"))
    unknown = "status: waiting, assigneeId: 5f0e7a52-31c4-4d0b-9a54-0c2f7b1d8ea9"
    edits.append((file, unknown, unknown.replace("waiting", "unheard_of")))
    proved = proof_of_edits(tmp_path, *edits)
    assert proved.config is not None, [finding.line for finding in proved.proof.findings]
    able = proved.config.capabilities["desk"]["ticket"]
    assert able.writable["status"].forward == words
    assert {verb.name: verb.only_for for verb in able.verbs}["complete"] == {"status": ("done",)}
