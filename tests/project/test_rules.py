"""The merge rules stand in the project: each has a story and tests; nothing points outside."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "merge-rules.md").read_text()
RULES = range(1, 23)
OUTSIDE = ("merge", "architecture", "interface", "house", "style", "field", "speed", "admin")
"""Notes that the makers had when they began. Whoever has only this repository has none of them."""


def committed() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    names = [name for name in listed.stdout.decode().split("\0") if name]
    return [ROOT / name for name in names if (ROOT / name).is_file()] or sorted(
        path for folder in ("bridge", "docs", "tests") for path in (ROOT / folder).rglob("*.[pm]*")
    )


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_a_title_a_story_and_a_test(rule):
    part = re.search(rf"^## F{rule} — .+?(?=^## )", PAGE, re.MULTILINE | re.DOTALL)[0]
    assert "*Story.*" in part
    assert re.search(r"^- \[.+\]\(\.\./tests/.+\)$", part, re.MULTILINE)


def test_no_rule_is_named_that_is_not_there():
    named = {
        (str(path.relative_to(ROOT)), int(number))
        for path in committed()
        if path.suffix in {".py", ".md"}
        for number in re.findall(
            r"\brules? F(\d+)|def test_f(\d\d)_", path.read_text(errors="replace")
        )
        for number in [next(filter(None, number))]
    }
    assert {(path, number) for path, number in named if number not in RULES} == set()


def test_nothing_points_to_notes_outside_of_the_repository():
    pattern = re.compile(rf"(?<![\w/-])(?:{'|'.join(OUTSIDE)})\.md\b")
    pointing = [
        str(path.relative_to(ROOT))
        for path in committed()
        if path.suffix in {".py", ".md", ".toml", ".yaml", ".diff"}
        and pattern.search(path.read_text(errors="replace"))
    ]
    assert pointing == []
