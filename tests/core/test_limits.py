"""The limits of one record: what is over them is unreadable, with the number; the rest goes on."""

from __future__ import annotations

import pytest

from bridge.core.mapping.agent_table import AgentTable
from bridge.core.mapping.compiler import compile_entity
from bridge.core.mapping.fieldmap import EntityMap
from bridge.core.model import limits
from bridge.core.model.values import Unreadable
from tests.core.builders import field, level, look, rules, value

MAP = compile_entity(
    "ticket",
    {
        "id": "id",
        "fields": {
            "subject": "subject",
            "description": "description",
            "status": {"path": "status", "read": {"open": "open"}, "write": {"open": "open"}},
            "tags": "tags",
            "escalation_reason": {"read": "[reason][0]"},
        },
    },
    AgentTable(),
).map


def nested(levels):
    value = "x"
    for _ in range(levels):
        value = [value]
    return value


def many(number, word="t"):
    return [f"{word}{index}" for index in range(number)]


@pytest.mark.parametrize(
    ("name", "raw", "said"),
    [
        ("tags", many(100_000), "100,000 elements, at most 1,000"),
        ("tags", many(limits.MAX_ELEMENTS + 1), "1,001 elements, at most 1,000"),
        ("tags", ["x" * limits.MAX_FIELD_CHARS, "y"], "250,001 characters, at most 250,000"),
        ("subject", "x" * 1_000_000, "1,000,000 characters, at most 250,000"),
        ("subject", {"a": many(15_000, "x" * 20)}, "characters, at most 250,000"),
        ("status", [[]] * 30_000, "30,000 parts, at most 20,000"),
        ("status", nested(1_000), "nested too deeply to be taken: at most 32"),
        ("status", 1 << 10_000, "10001 bits, 256 are allowed"),
    ],
)
def test_what_is_over_a_limit_is_unreadable_and_the_number_is_named(name, raw, said):
    record = {"subject": "s", "description": "d", "status": "open", "tags": ["a"], "reason": "r"}
    values = MAP.extract({**record, name: raw})
    assert isinstance(values[name], Unreadable)
    assert said in values[name].why
    expected = {**record, "escalation_reason": record["reason"]}
    expected.pop("reason")
    assert {key: item for key, item in values.items() if key != name} == {
        key: item for key, item in expected.items() if key != name
    }


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("tags", many(limits.MAX_ELEMENTS)),
        ("subject", "x" * limits.MAX_FIELD_CHARS),
        ("status", nested(limits.MAX_FIELD_DEPTH)),
        ("status", 1 << (limits.MAX_NUMBER_BITS - 1)),
        ("subject", None),
        ("subject", {}),
    ],
)
def test_what_is_at_a_limit_is_taken(name, raw):
    assert MAP.extract({name: raw})[name] == raw


def test_of_a_record_that_is_too_large_the_longest_fields_are_left_out(monkeypatch):
    monkeypatch.setattr(limits, "MAX_RECORD_CHARS", 1_000)
    values = MAP.extract({"subject": "s" * 300, "description": "d" * 900, "tags": ["t" * 400]})
    assert values["subject"] == "s" * 300
    assert values["tags"] == ["t" * 400]
    assert "900 characters, in a record of which 1,000 are allowed" in values["description"].why


def test_what_lists_and_objects_hold_counts_in_a_record_too(monkeypatch):
    monkeypatch.setattr(limits, "MAX_RECORD_CHARS", 1_000)
    values = MAP.extract({"subject": "s" * 700, "status": {"a": ["b" * 400]}})
    assert "700 characters, in a record of which 1,000 are allowed" in values["subject"].why


def test_a_tag_that_is_too_long_is_unreadable_by_itself():
    read = MAP.fields["tags"].read
    assert read("t" * limits.MAX_ELEMENT_CHARS) == "t" * limits.MAX_ELEMENT_CHARS
    assert "has 256 characters, at most 255" in read("t" * 256).why


def test_a_value_nested_too_deeply_to_be_shown_is_still_named():
    why = MAP.fields["status"].read(nested(100_000)).why
    assert "of status has no row for a value too large to be shown" in why


def test_a_set_that_changes_all_the_time_is_not_remembered_without_end():
    maps = {name: EntityMap("ticket", {"tags": field("tags", is_set=True)}) for name in ("L", "H")}
    under = rules(maps=maps, writable={})
    given = level("L", "H", under=under, tags=["a"])
    for number in range(40):
        for seconds, name in enumerate("LHL", 3 * number):
            look(given, name, 1 + seconds, under=under, tags=many(400, f"{number}-"))
    known = given.state["tags"].elements
    assert len(known) <= limits.MAX_KNOWN_ELEMENTS // 2 + 400
    assert value(given, "tags") == tuple(sorted(many(400, "39-")))
    assert not given.sides["L"].fields["tags"].unreadable


def test_what_cannot_be_forgotten_makes_the_set_unreadable_with_the_number():
    maps = {name: EntityMap("ticket", {"tags": field("tags", is_set=True)}) for name in ("L", "H")}
    under = rules(maps=maps, writable={})
    given = level("L", "H", under=under, tags=["a"])
    for number in range(40):  # H stays behind: each of these removals it has yet to see
        look(given, "L", 1 + number, under=under, tags=many(400, f"{number}-"))
    assert "at most 10,000 are remembered" in given.sides["L"].fields["tags"].unreadable
    assert len(given.state["tags"].elements) <= limits.MAX_KNOWN_ELEMENTS
