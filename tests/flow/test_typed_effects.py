"""What procedures receive for their effects has a type: mypy sees a wrong use of it.

Each mutation below is one slip of a hand. Its module is copied beside the original with the slip in
it, and mypy, run once over all copies, must complain about every one of them.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EFFECTS = {
    *("take", "store", "consult", "transact", "look"),
    *("read_record", "await_grant", "call_vendor", "search_vendor"),
}

SLIPS = {
    "swapped parts of a result": (
        "flow/observe.py",
        "if taken.link_id is None:",
        "if taken[0] is None:",
    ),
    "a record that may be missing": (
        "flow/observe.py",
        "if record is not None and people.shows_news(",
        "if people.shows_news(",
    ),
    "a method that a record does not have": (
        "flow/deliver.py",
        "own = answer is not None",
        "own = answer.was_shown()",
    ),
    "a read whose result is something else": (
        "flow/observe.py",
        "record = yield from read_record(",
        "record: str = yield from read_record(",
    ),
    "an outcome that is forgotten": (
        "flow/deliver.py",
        "if isinstance(answer, Unknown):\n        return None",
        "if isinstance(answer, Moved):\n        return None",
    ),
    "an attribute that an outcome does not have": (
        "flow/deliver.py",
        "denied = answer.error",
        "denied = answer.reason",
    ),
    "an unknown outcome that is taken for a known one": (
        "flow/delete.py",
        "elif not isinstance(outcome, Unknown):",
        "else:",
    ),
    "a vendor's call with an argument too many": (
        "flow/create.py",
        "lambda c: c.create(draft)",
        "lambda c: c.create(draft, marker)",
    ),
    "an attribute that records that were found do not have": (
        "flow/create.py",
        "record: (len(record.ref.id), record.ref.id))",
        "record: (len(record.ref.id), record.number))",
    ),
    "an effect that is yielded bare": (
        "flow/first_sight.py",
        "yield from transact(lambda",
        "yield (lambda",
    ),
    "a result that is not what the procedure says": (
        "flow/write.py",
        "return Unknown()",
        "return None",
    ),
    "an answer of the wrong kind": (
        "runs/undo.py",
        "isinstance(answer, Moved | Denied)",
        "answer.moved",
    ),
    "a transaction that returns nothing": (
        "runs/undo.py",
        "side, did = yield from transact(begin)",
        "side, did = yield from transact(lambda tx: None)",
    ),
}
"""What slips -> the file in `bridge/`, what stands there, and what would stand there."""


@pytest.fixture(scope="module")
def complaints(tmp_path_factory):
    """Run mypy over a copy of every module with its slip in it; return the complaints by slip."""
    copy = tmp_path_factory.mktemp("typed")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "bridge", copy / "bridge", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", copy)
    modules = {}
    for number, (what, (file, old, new)) in enumerate(SLIPS.items()):
        source = (ROOT / "bridge" / file).read_text()
        assert old in source, f"{what}: {file} has changed; renew this slip"
        path = copy / "bridge" / Path(file).with_name(f"slip_{number}.py")
        path.write_text(source.replace(old, new, 1))
        modules[what] = str(path.relative_to(copy))
    untouched = sorted({f"bridge/{file}" for file, _old, _new in SLIPS.values()})
    done = subprocess.run(
        [
            *[sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(copy / "cache")],
            *modules.values(),
            *untouched,
        ],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.findall(r"^(\S+\.py):\d+: error: (.*)$", done.stdout, re.MULTILINE)
    assert found, done.stdout + done.stderr
    return {path: [said for where, said in found if where == path] for path in untouched} | {
        what: [said for where, said in found if where == path] for what, path in modules.items()
    }


@pytest.mark.parametrize("what", SLIPS)
def test_the_type_checker_sees_the_slip(complaints, what):
    assert complaints[what]


@pytest.mark.parametrize("file", sorted({file for file, _old, _new in SLIPS.values()}))
def test_without_the_slip_it_has_nothing_to_say(complaints, file):
    assert complaints[f"bridge/{file}"] == []


def functions(rooms):
    for room in rooms:
        for path in sorted((ROOT / "bridge" / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef):
                    yield path, node


def asks(function):
    """Return whether a function asks for an effect, or hands on to one that does."""
    named = ast.unparse(function.returns) if function.returns is not None else ""
    calls = {
        node.value.func.id
        for node in ast.walk(function)
        if isinstance(node, ast.YieldFrom)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
    }
    return bool(calls & EFFECTS) or named == "Procedure" or named.startswith("Steps[")


def test_procedures_ask_through_the_typed_helpers_and_say_what_they_return():
    asking = [(path, node) for path, node in functions(["flow", "runs"]) if asks(node)]
    assert len(asking) > 20
    bare = [
        f"{path.name}:{node.lineno}: {function.name}"
        for path, function in asking
        for node in ast.walk(function)
        if isinstance(node, ast.Yield)
    ]
    assert bare == []
    untyped = [
        f"{path.name}: {function.name}"
        for path, function in asking
        if function.returns is None or "Any" in ast.unparse(function.returns)
    ]
    assert untyped == []


@pytest.mark.parametrize("room", ["engine", "flow", "runs", "operations", "preview"])
def test_nothing_that_is_sent_to_a_procedure_is_any(room):
    """A bare `yield` gives an object, with which nothing can be done by mistake."""
    generators = [
        f"{path.name}: {ast.unparse(node)}"
        for path in sorted((ROOT / "bridge" / room).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Subscript)
        and ast.unparse(node.value) == "Generator"
        and "Any" in ast.unparse(node.slice)
    ]
    assert generators == []
