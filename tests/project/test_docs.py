"""The documents say what is so."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.cli.command_table import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_generated_parts_are_fresh():
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        check=False,
    )
    assert done.returncode == 0, f"run `make docs`: {done.stdout}{done.stderr}"


def test_the_readme_names_every_room_and_top_module():
    readme = (ROOT / "README.md").read_text()
    bridge = ROOT / "bridge"
    rooms = [path.parent.relative_to(ROOT) for path in bridge.glob("*/__init__.py")]
    modules = [path.relative_to(ROOT) for path in bridge.glob("[!_]*.py")]
    named = [f"[`{room}/`]" for room in rooms] + [f"[`{module}`]" for module in modules]
    assert [name for name in named if name not in readme] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text())
    local = [target for target in targets if not target.startswith(("http://", "https://"))]
    assert [target for target in local if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_are_named_exist(path):
    named = re.findall(
        r"`((?:bridge|jobs|mappings|config|tests|docs)/[\w./-]*\w(?:\.\w+)?/?)`", path.read_text()
    )
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_that_are_named_exist(path):
    named = re.findall(r"`(?:[A-Z_]+=\S+ )*bridge ([a-z]+)", path.read_text())
    assert set(named) <= COMMANDS.keys()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_make_targets_that_are_named_exist(path):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)`", path.read_text())) <= targets


def test_decisions_are_numbered_without_gaps():
    numbers = [int(path.name[:4]) for path in sorted((ROOT / "docs" / "decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_word_of_the_glossary_stands_once():
    words = re.findall(
        r"^\| \*\*(.+?)\*\* \|", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE
    )
    assert words == sorted(set(words))


def test_no_address_of_a_workplace_is_committed():
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False
    ).stdout
    names = [name for name in listed.decode().split("\0") if name] or [
        str(path) for path in DOCUMENTS
    ]
    pattern = re.compile(r"(?<![\w.])\.\./sha" + r"red\b|/wo" + r"rk/main|file:///o" + r"pt/")
    found = []
    for name in names:
        path = ROOT / name
        if path.is_file() and pattern.search(path.read_text(errors="replace")):
            found.append(name)
    assert found == []


def test_every_room_stands_in_the_list_of_the_readme():
    packages = {
        str(path.parent.relative_to(ROOT))
        for path in (ROOT / "bridge").rglob("__init__.py")
        if "migrations" not in path.parts and path.parent != ROOT / "bridge"
    }
    listed = set(
        re.findall(r"^\| \[`(bridge/[\w/]+)/`\]", (ROOT / "README.md").read_text(), re.MULTILINE)
    )
    vendors = {name for name in packages if name.startswith("bridge/connectors/")}
    assert packages - vendors == listed
