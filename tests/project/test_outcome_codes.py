"""Outcome codes: each reason in the source has one, and each is explained to an admin."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge import errors
from bridge.core.model.outcome_codes import (
    CAUSES,
    ENTRIES,
    REFUSALS,
    Code,
    of_cause,
    of_entry,
    of_refusal,
)
from bridge.core.model.outcome_meanings import MEANINGS
from bridge.errors import BridgeError, Outcome, Rejected, RemoteError

ROOT = Path(__file__).resolve().parents[2]
CAUSE_ARGUMENT = {"work.park": 4, "save_and_park": 4, "_park": 3}
"""Function that parks work -> the place of the cause among its arguments."""
ANY_ERROR = "type(error).__name__"
"""A cause that is an error's class name: each has a code, as a test below says."""


def test_every_code_is_explained():
    assert set(MEANINGS) == set(Code)
    for code, meaning in MEANINGS.items():
        assert re.fullmatch(r"BRG(-[A-Z0-9]+)+", code)
        assert all((meaning.title, meaning.happened, meaning.tickets, meaning.do)), code
        assert not meaning.title.endswith("."), code
        assert not meaning.do.endswith("."), code


def test_no_two_codes_have_the_same_title():
    titles = [meaning.title for meaning in MEANINGS.values()]
    assert len(set(titles)) == len(titles)


def test_the_page_has_every_code_and_no_other():
    page = (ROOT / "docs" / "outcomes.md").read_text()
    assert re.findall(r"^## (\S+)$", page, re.MULTILINE) == [str(code) for code in Code]


def test_every_code_that_is_named_anywhere_exists():
    named = {
        found
        for folder in ("bridge", "docs", "jobs")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".md"}
        for found in re.findall(r"\bBRG-[A-Z0-9-]+\b", path.read_text())
    }
    assert named <= {str(code) for code in Code}


def subclasses(of: type) -> Iterator[type]:
    for each in of.__subclasses__():
        yield each
        yield from subclasses(each)


@pytest.mark.parametrize("error", sorted(set(subclasses(Rejected)), key=lambda each: each.__name__))
def test_every_refusal_of_a_webhook_has_a_code(error):
    assert of_refusal(error.__name__) is not Code.OTHER


ENDING_WORK = sorted(
    # A write that is not in a plan (bridge.preview) is left to the workers, and never ends so.
    {each for each in subclasses(RemoteError) if each.__module__ == errors.__name__},
    key=lambda each: each.__name__,
)


@pytest.mark.parametrize("error", ENDING_WORK)
def test_every_error_that_parks_work_has_a_code(error):
    assert of_cause(error.__name__) is not Code.OTHER


def test_no_cause_is_named_after_an_error_that_is_no_more():
    words = {word for word in (*CAUSES, *REFUSALS) if word[0].isupper()} - {"LedgerDown"}
    assert {word for word in words if not hasattr(errors, word)} == set()


def test_rows_of_older_versions_have_a_code_too():
    assert of_cause("a cause of long ago") is Code.OTHER
    assert of_cause("a cause of long ago") is Code.OTHER
    assert of_refusal("a reason of long ago") is Code.OTHER
    assert of_entry("not carried", {"why": "no writing"}) == Code.OTHER
    assert of_entry("not carried", {"code": "BRG-MAP-VALUE"}) == Code.MAP_VALUE
    assert of_entry("wrote", {}) == ""


# --- what the source says -------------------------------------------------------------------------


def sources() -> list[Path]:
    rooms = ("core", "connectors", "ledger", "engine", "flow", "runs", "preview", "operations")
    return [path for room in rooms for path in sorted((ROOT / "bridge" / room).rglob("*.py"))]


def calls(text: str) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def causes(text: str) -> Iterator[ast.expr]:
    """Yield what the source gives as the cause of work that it parks."""
    for function, call in calls(text):
        named = {word.arg: word.value for word in call.keywords}
        if function in CAUSE_ARGUMENT and len(call.args) > CAUSE_ARGUMENT[function]:
            yield call.args[CAUSE_ARGUMENT[function]]
        elif function == "parking.set_aside":
            yield named["cause"]


def named_in(module: object, dotted: str) -> object:
    """Give what a name like `parking.BUDGET` stands for in a module; None: nothing."""
    found: object = module
    for name in dotted.split("."):
        found = getattr(found, name, None)
    return found


def uncoded(text: str, module: str) -> list[str]:
    """Return what a source parks or leaves out without a registered reason."""
    found = []
    for cause in causes(text):
        if isinstance(cause, ast.Name) and cause.id == "cause":
            continue  # handed on: the caller named it
        if ast.unparse(cause) == ANY_ERROR:
            continue
        word = (
            cause.value
            if isinstance(cause, ast.Constant)
            else named_in(importlib.import_module(module), ast.unparse(cause))
        )
        if word not in CAUSES:
            found.append(f"{module}:{cause.lineno}: {ast.unparse(cause)}")
    for function, call in calls(text):
        if function == "Note" and isinstance(call.args[0], ast.Constant):
            kind, detail = call.args[0].value, ast.unparse(call.args[-1])
            if kind == "not carried" and detail != "detail" and "code" not in detail:
                found.append(f"{module}:{call.lineno}: a note without a code")
    return found


def test_whatever_is_parked_has_a_code():
    found = []
    for path in sources():
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found += uncoded(path.read_text(), module)
    assert found == []


def test_the_search_finds_the_places_that_there_are():
    places = [cause for path in sources() for cause in causes(path.read_text())]
    assert len(places) >= 10


@pytest.mark.parametrize(
    "source",
    [
        'work.park(tx, row, owner, why, "by whim", now)',
        'save_and_park(tx, task, note, why, "by whim", now)',
        'parking.set_aside(tx, kind="deliver", cause="by whim")',
        'Note("not carried", connection, "", {"why": why})',
    ],
)
def test_a_reason_without_a_code_is_found(source):
    assert len(uncoded(source, "bridge.errors")) == 1


def test_every_kind_of_entry_that_tells_of_something_left_out_has_a_code():
    """The two kinds that name their own code are those with many reasons."""
    assert {"not carried", "unreadable", "refused", "unsafe", "ambiguous"} <= set(ENTRIES)


def test_what_is_parked_for_an_error_of_ours_says_so():
    parked = {each for each in subclasses(BridgeError) if each.outcome is Outcome.PARK}
    assert parked  # classes that are no answer of a vendor's have the general code
    assert of_cause("defect") is Code.DEFECT
