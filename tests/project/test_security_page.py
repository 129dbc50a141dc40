"""docs/security.md: every line of the list once, and every test that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
LINES = 253
"""Of levels 1 and 2 of ASVS 5.0.0."""
ROW = re.compile(
    r"^\| (\d+\.\d+\.\d+) \| [^|]+ \| (met|in part|not met|yours) \| [^|]+ \| ([^|]+) \|$",
    re.MULTILINE,
)
ROWS = ROW.findall(PAGE)
_SPAN = re.compile(r"(\d+\.\d+)\.(\d+)(?: to \1\.(\d+))?")


def left_out() -> list[str]:
    """Return the lines that do not apply, of which some are written as `4.4.1 to 4.4.4`."""
    _, _, table = PAGE.partition("## What does not apply")
    cells = re.findall(r"^\| (\d[^|]*) \| [^|]+ \|$", table, re.MULTILINE)
    return [
        f"{section}.{number}"
        for section, first, last in _SPAN.findall(", ".join(cells))
        for number in range(int(first), int(last or first) + 1)
    ]


def test_every_line_of_the_list_stands_on_the_page_once():
    numbers = [number for number, _, _ in ROWS] + left_out()
    assert len(numbers) == len(set(numbers)) == LINES
    assert len(ROWS) == len(re.findall(r"^\| \d+\.\d+\.\d+ \|.*\|.*\|.*\|", PAGE, re.MULTILINE))


@pytest.mark.parametrize(("number", "verdict", "proof"), ROWS, ids=[row[0] for row in ROWS])
def test_what_is_said_to_hold_names_a_test_that_is_there(number, verdict, proof):
    named = re.findall(r"`(tests/[\w/]+(?:\.py)?)(?:::(\w+))?`", proof)
    assert named or verdict in {"not met", "yours"} or "`ruff`" in proof or number == "6.4.2"
    for file, test in named:
        assert (ROOT / file).exists(), f"{number}: {file}"
        if test:
            assert f"def {test}(" in (ROOT / file).read_text(), f"{number}: {file}::{test}"
