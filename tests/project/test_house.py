"""The house rules that a machine can check: one name for one thing, files that one can read."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST_BRANCHES = 15
LONGEST_COMMAND = 120
"""Lines of a command's file: it parses, calls an operation and prints."""

SAME_FILE_NAMES = ("connector", "capabilities", "records", "listing")
"""Every vendor's folder has these."""
SAME_CLASS_NAMES = {"Meta": "marshmallow looks for the options of a schema under this name"}
"""Class names that may stand twice, and why."""


def sources(root: Path = ROOT) -> list[Path]:
    return [
        path
        for folder in ("bridge", "jobs")
        for path in sorted((root / folder).rglob("*.py"))
        if "versions" not in path.parts
    ]


def branches(function: ast.AST) -> int:
    """Count every way that a function can take, those of functions in it too."""
    return 1 + sum(ways(node) for node in ast.walk(function))


def ways(node: ast.AST) -> int:
    if isinstance(node, ast.If | ast.IfExp | ast.For | ast.While | ast.ExceptHandler | ast.Assert):
        return 1
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 1
    if isinstance(node, ast.comprehension):
        return 1 + len(node.ifs)
    return int(isinstance(node, ast.match_case))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_no_function_has_more_branches_than_a_reader_can_hold():
    wide = {
        f"{path.relative_to(ROOT)}:{function.name}": count
        for path in sources()
        for function in functions(path)
        if (count := branches(function)) > MOST_BRANCHES
    }
    assert wide == {}


def test_branches_are_counted_strictly():
    source = (
        "def f(a, b):\n    if a and b or a:\n        return [x for x in a if x]\n"
        "    return 1 if b else 2\n"
    )
    assert branches(ast.parse(source).body[0]) == 1 + 1 + 2 + 2 + 1


def test_a_class_name_stands_for_one_thing():
    where = defaultdict(list)
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                where[node.name].append(str(path.relative_to(ROOT)))
    twice = {name: paths for name, paths in where.items() if len(paths) > 1}
    assert {name: paths for name, paths in twice.items() if name not in SAME_CLASS_NAMES} == {}
    assert set(SAME_CLASS_NAMES) <= set(twice)


def test_a_module_name_stands_for_one_thing():
    """A command or a job may be called like what it runs; vendors' folders have the same."""
    where = defaultdict(set)
    for path in sources():
        room, vendor = path.relative_to(ROOT).parts[-2], path.relative_to(ROOT).parts[1:2]
        if path.stem.startswith("__") or room in {"cli", "jobs"}:
            continue
        if vendor == ("connectors",) and path.stem in SAME_FILE_NAMES:
            continue
        where[path.stem].add(str(path.relative_to(ROOT)))
    assert {name: paths for name, paths in where.items() if len(paths) > 1} == {}


def test_every_vendor_has_the_same_files():
    folders = [path for path in (ROOT / "bridge" / "connectors").iterdir() if path.is_dir()]
    lacking = {
        f"{folder.name}/{name}.py"
        for folder in folders
        if folder.name != "__pycache__"
        for name in SAME_FILE_NAMES
        if not (folder / f"{name}.py").is_file()
    }
    assert lacking == set()


@pytest.mark.parametrize(
    "path", sorted((ROOT / "bridge" / "cli").glob("*.py")), ids=lambda path: path.stem
)
def test_a_command_parses_calls_and_prints(path):
    assert len(path.read_text().splitlines()) <= LONGEST_COMMAND


@pytest.mark.parametrize(
    "path", sorted((ROOT / "bridge" / "cli").glob("*.py")), ids=lambda path: path.stem
)
def test_commands_print_by_the_screen_alone(path):
    others = re.findall(
        r"click\.s?echo|(?<![.\w])print\(|\.write\(|(?<!\w)Console\(", path.read_text()
    )
    assert others == [] or path.stem == "screen"


def test_operations_print_nothing():
    for path in (ROOT / "bridge" / "operations").glob("*.py"):
        assert not re.search(r"\bprint\(|\bclick\b|\brich\b", path.read_text()), path.name


UNREAD = {"ledger/value_codec.py", "simulate/seeds.py", "sandbox/control.py"}
"""Files whose texts only programmers read."""


def class_names_in_texts(path: Path) -> Iterator[int]:
    """Yield the lines that put the name of an object's class into a text or a line of the log."""
    for node in ast.walk(ast.parse(path.read_text())):
        parts: list[ast.expr] = []
        if isinstance(node, ast.FormattedValue):
            parts = [node.value]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith("log."):
            parts = [*node.args, *(keyword.value for keyword in node.keywords)]
        for part in parts:
            if re.fullmatch(r"type\(.*\)\.__name__|\w+\.__class__\.__name__", ast.unparse(part)):
                yield node.lineno


def test_no_text_shows_the_name_of_an_exceptions_class():
    """An admin reads what happened and what to do; `OSError` is neither."""
    shown = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sources()
        if "/".join(path.parts[-2:]) not in UNREAD
        for line in class_names_in_texts(path)
    ]
    assert shown == []


def test_the_rule_about_class_names_sees_them(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text(
        "why = f'it failed ({type(error).__name__})'\n"
        "log.warning('lost (%s)', type(error).__name__)\n"
        "cause = type(error).__name__\n"
    )
    assert sorted(class_names_in_texts(bad)) == [1, 2]
