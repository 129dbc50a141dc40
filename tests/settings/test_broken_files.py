"""Files as a support lead breaks them: each says in plain words what is wrong, and where."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.config.yaml_reader import parse
from tests.settings import test_invalid
from tests.workbench.shipped import proof_of_edits

FILE = Path(__file__).with_name("broken_files.yaml")
BROKEN = parse(FILE.read_text(), FILE.name).data
MADE_UP = next(
    mark.args[1]
    for mark in test_invalid.test_invalid_homes.pytestmark
    if mark.name == "parametrize"
)
"""The same of a home with systems that are made up."""
LEAST = 80
PROGRAMMERS = re.compile(
    r"\b(class|levels?|schema|None|True|False|NoneType|dict|str|int|scalar|tokens?|stream|node"
    r"|regex|pattern|errno|exception|traceback|null pointer|type)\b"
    r"|mapping values|flow |<block"
)
VENDORS_WORDS = re.compile(r"allowed .*")
"""Words of a vendor's that a message lists may be anything, `type` and `level` among them."""


@pytest.mark.parametrize("row", BROKEN, ids=lambda row: row["said"][0][-60:])
def test_a_broken_file_says_what_to_do(tmp_path, row):
    found = proof_of_edits(tmp_path, (row["file"], row["old"], row["new"])).proof.refused
    said = [re.sub(r"(?<=\.yaml):\d+: ", ": ", finding.line, count=1) for finding in found]
    assert said == row["said"]
    for finding in found:
        file, _, line = finding.at.rpartition(":")
        text = (tmp_path / file).read_text()
        words = re.findall(r"[\w-]+", finding.path)
        here = text.splitlines()[int(line) - 1]
        edited = lines_of(text, row["new"]) if file == row["file"] else range(0)
        assert int(line) in edited or any(word in here for word in words), finding.line


def lines_of(text, new):
    """The lines that an edit has changed, and those around them."""
    first = text[: text.index(new)].count("\n") + 1
    return range(first - 1, first + new.count("\n") + 2)


def test_there_are_enough_of_them():
    edits = {(row["file"], row["old"], row["new"]) for row in BROKEN}
    assert len(edits) == len(BROKEN) >= LEAST


def test_each_says_it_in_words_that_are_no_programmers():
    said = [line for row in BROKEN for line in row["said"]]
    said += [line for *_edit, lines in MADE_UP for line in lines]
    plain = [VENDORS_WORDS.sub("", line) for line in said]
    assert [line for line in plain if PROGRAMMERS.search(line)] == []
