"""The script that breaks the source must itself notice when a mutant proves nothing."""

from __future__ import annotations

import importlib.util
import re
import sys
from difflib import unified_diff
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = "tests/project/test_home.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location(
        "mutants_run", ROOT / "tests" / "mutants" / "run.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutants_run"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["mutants_run"]


def patch(tmp_path, old: str, new: str, tests: str = TESTS) -> Path:
    """Write a mutant that replaces one line of bridge/home.py."""
    text = (ROOT / "bridge" / "home.py").read_text()
    before = text if old in text else f"{old}\n"
    path = tmp_path / "mutant.diff"
    change = unified_diff(
        before.splitlines(keepends=True),
        before.replace(old, new, 1).splitlines(keepends=True),
        "a/bridge/home.py",
        "b/bridge/home.py",
    )
    path.write_text(f"Removes: a line\nTests: {tests}\n\n" + "".join(change))
    return path


def test_a_mutant_that_a_test_notices_is_killed_and_the_test_is_named(script, tmp_path):
    mutant = script.read(patch(tmp_path, "0o077", "0o000"))
    (tmp_path / "work").mkdir()
    killer = script.kill(mutant, tmp_path / "work")
    name = "test_what_was_there_before_is_made_readable_by_its_owner_only"
    assert killer.test.startswith(f"{TESTS}::{name}")
    assert script.fail_anyway([killer], 0, tmp_path / "work") == []


def test_a_test_that_fails_without_the_mutant_has_noticed_nothing(script, tmp_path):
    killer = script.Noticed(f"{TESTS}::test_the_order_of_places", "it failed")
    fails = "tests/mutants/test_x.py"
    copy = script.copy

    def with_a_failing_test(tree):
        copy(tree)
        (tree / fails).write_text("class TestIt:\n    def test_no(self):\n        assert False\n")

    script.copy = with_a_failing_test
    try:
        failing = script.Noticed(f"{fails}::TestIt::test_no", "it failed")
        assert script.fail_anyway([killer, failing], 0, tmp_path) == [
            f"{failing.test}: assert False"
        ]
    finally:
        script.copy = copy


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("a line that was never there", "x", "does not apply"),
        ("from typing import Final", "from typing import Finale", "cannot be imported"),
    ],
)
def test_a_mutant_that_proves_nothing_is_refused(script, tmp_path, old, new, said):
    mutant = script.read(patch(tmp_path, old, new))
    (tmp_path / "work").mkdir()
    with pytest.raises(script.Broken, match=said):
        script.kill(mutant, tmp_path / "work")


def test_a_mutant_that_no_test_notices_survives(script, tmp_path):
    mutant = script.read(
        patch(tmp_path, "0o077", "0o000", tests=f"{TESTS}::test_the_order_of_places")
    )
    (tmp_path / "work").mkdir()
    with pytest.raises(script.Broken, match="no test notices"):
        script.kill(mutant, tmp_path / "work")


def test_a_mutant_without_a_head_is_refused(script, tmp_path):
    (tmp_path / "x.diff").write_text("--- a/x\n+++ b/x\n")
    with pytest.raises(script.Broken, match="Removes"):
        script.read(tmp_path / "x.diff")


def test_every_mutant_of_the_project_has_a_head_and_applies(script):
    for path in sorted((ROOT / "tests" / "mutants").glob("*.diff")):
        mutant = script.read(path)
        files = re.split(r"^--- a/.*\n\+\+\+ b/(\S+)\n", path.read_text(), flags=re.MULTILINE)[1:]
        assert files, path.name
        for name, hunks in zip(files[::2], files[1::2], strict=True):
            text = (ROOT / name).read_text()
            for hunk in re.split(r"^@@.*\n", hunks, flags=re.MULTILINE)[1:]:
                before = "".join(
                    line[1:] for line in hunk.splitlines(keepends=True) if line[0] in " -"
                )
                assert before in text, f"{path.name} does not apply any more: {name}"
        assert all((ROOT / test.partition("::")[0]).exists() for test in mutant.tests), path.name
