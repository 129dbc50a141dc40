"""What is noted of fields that no file knows: bounded, and nothing that may tell of a person."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.mapping.unknown_fields import (
    MAX_IN_RECORD,
    MAX_NAMES,
    OTHERS,
    KnownParts,
    UnknownFields,
    is_name,
    names_behind,
    reads_whole,
    told,
)
from bridge.core.mapping.value_shapes import (
    MAX_WORDS,
    MIN_RECORDS,
    ValueShape,
    field_kind,
    joined,
    kind_of,
)
from bridge.core.model.entities import Field

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KNOWN = KnownParts(frozenset({"id", "status", "door"}), (("door", frozenset({"team"})),), ())


def noted(*records, known=KNOWN):
    unknown = UnknownFields()
    for number, data in enumerate(records):
        unknown.look("L", "ticket", known, f"r{number}", data, NOW + timedelta(seconds=number))
    return {place[3]: sighting for place, sighting in unknown.take(NOW)}


def test_names_that_are_known_are_passed_over():
    assert noted({"id": 1}, {"id": 2, "status": "new", "door": {"team": "a"}}, {}) == {}


@pytest.mark.parametrize("door", [None, "text", 3, [], {}, [{"a": 1}]])
def test_what_stands_in_the_place_of_a_door_is_no_names(door):
    assert noted({"id": 1, "door": door}) == {}


def test_names_are_noted_at_the_top_and_behind_a_door_with_count_and_times():
    found = noted(*[{"id": 1, "colour": "red", "door": {"team": "a", "due": 7}}] * 3)
    assert set(found) == {"colour", "door.due"}
    assert found["colour"].count == 3
    assert (found["colour"].first_at, found["colour"].last_at) == (NOW, NOW + timedelta(seconds=2))
    assert found["door.due"].shape.kinds == {"number"}


@pytest.mark.parametrize(
    "name",
    ["ann@example.com", "4915112345678", "x" * 61, "", "ä", "a\nb", "tel 0151 12345", "'; drop"],
)
def test_a_name_that_may_tell_of_somebody_stands_nowhere(name):
    assert not is_name(name)
    assert set(noted({name: 1})) == {OTHERS}
    assert set(noted({"door": {name: 1}})) == {f"door.{OTHERS}"}


def test_a_million_names_are_neither_looked_at_nor_kept():
    many = {
        f"f{chr(97 + n % 26)}{'abcdefghij'[n // 26 % 10]}{n % 7}{'x' * (n % 9)}": n
        for n in range(20_000)
    }

    class Counting(dict):
        asked = 0

        def __getitem__(self, key):
            self.asked += 1
            return super().__getitem__(key)

    record = Counting(many)
    assert len(noted(record)) <= MAX_IN_RECORD
    assert record.asked <= MAX_IN_RECORD
    unknown = UnknownFields()
    names = sorted(many)
    for start in range(0, len(names), 10):
        shown = dict.fromkeys(names[start : start + 10], 1)
        unknown.look("L", "ticket", KNOWN, f"r{start}", shown, NOW)
    taken = {place[3]: sighting.count for place, sighting in unknown.take(NOW)}
    assert len(taken) <= MAX_NAMES + 1
    assert sum(taken.values()) == len(names)  # all others are counted under one name
    assert taken[OTHERS] == len(names) - (len(taken) - 1)


def test_another_connection_has_its_own_bound():
    unknown = UnknownFields()
    for number in range(MAX_NAMES * 2):
        name = "".join(chr(97 + int(digit)) for digit in str(number))
        unknown.look("L", "ticket", KNOWN, "r", {f"x{name}": 1}, NOW)
    unknown.look("R", "ticket", KNOWN, "r", {"colour": 1}, NOW)
    assert ("R", "ticket", "field", "colour", "") in dict(unknown.take(NOW))


# --- when it is stored ----------------------------------------------------------------------------


def test_a_new_name_is_due_at_once_and_counts_seldom():
    unknown = UnknownFields()
    assert not unknown.due(NOW)
    unknown.look("L", "ticket", KNOWN, "r", {"colour": 1}, NOW)
    assert unknown.due(NOW)
    unknown.take(NOW)
    unknown.look("L", "ticket", KNOWN, "r", {"colour": 1}, NOW)
    assert not unknown.due(NOW + timedelta(seconds=29))
    assert unknown.due(NOW + timedelta(seconds=30))
    assert unknown.due(NOW - timedelta(seconds=1))  # the clock was set back
    unknown.look("L", "ticket", KNOWN, "r", {"size": 1}, NOW)
    assert unknown.due(NOW + timedelta(seconds=3))
    ((_place, colour), (_other, size)) = unknown.take(NOW)
    assert (colour.count, size.count) == (1, 1)
    assert unknown.take(NOW) == []


# --- the shape of values --------------------------------------------------------------------------


def shape(values, name="door.stage"):
    made = ValueShape()
    for number, value in enumerate(values):
        made.add(name, value, f"r{number}")
    return made.as_data()


def test_a_word_of_a_closed_list_is_kept_once_several_records_show_it():
    assert shape(["archived"] * (MIN_RECORDS - 1))["words"] == []
    assert shape(["archived"] * MIN_RECORDS)["words"] == ["archived"]
    made = ValueShape()
    for _ in range(10):
        made.add("stage", "archived", "the same record")
    assert made.as_data()["words"] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stage", "Mary"),
        ("stage", "ann@example.com"),
        ("stage", "+49 151 1234"),
        ("stage", "mary bishop"),
        ("stage", "x1"),
        ("stage", "a" * 30),
        ("stage", 4711),
        ("door.first_name", "mary"),
        ("door.Contact", "mary"),
        ("door.owner", "mary"),
        ("door.api_key", "secret"),
        ("stage", ["mary"]),
        ("stage", {"mary": "mary"}),
    ],
)
def test_what_may_tell_of_somebody_is_never_kept(name, value):
    kept = json.dumps(shape([value] * 10, name))
    assert "mary" not in kept.casefold()
    assert str(value) not in kept
    assert shape([value] * 10, name)["words"] == []


def test_many_different_words_are_no_closed_list():
    words = ["ann", "ben", "cleo", "dora", "emil", "fay"]
    assert len(words) == MAX_WORDS + 1
    assert shape(words * 5)["words"] == []
    assert shape(words * 5)["open"] is True
    assert shape(words[:-1] * 5)["words"] == sorted(words[:-1])


def test_two_processes_come_to_what_both_have_seen():
    one, other = shape(["archived"] * 3), shape(["active", "active", "active", None])
    both = joined(one, other)
    assert both == {
        "kinds": ["null", "text"],
        "longest": 8,
        "words": ["active", "archived"],
        "open": False,
    }
    assert joined(both, shape(["Mary Bishop"]))["words"] == []
    assert joined(joined(both, shape(["Mary"])), shape(["active"] * 3))["words"] == []


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "null"),
        ("", "null"),
        (True, "boolean"),
        (1.5, "number"),
        ("text", "text"),
        ("2026-03-01", "date"),
        ("2026-03-01T10:00:00Z", "datetime"),
        ("2026-03-01T10:00:00", "text"),
        ("2026-13-41T99:00:00Z", "text"),
        ("ann@example.com", "email"),
        ("https://shop.example/7", "url"),
        ("x" * 100_000, "text"),
        (["a", "b"], "list"),
        ([1], "object"),
        ({}, "object"),
    ],
)
def test_each_value_has_a_kind(value, kind):
    assert kind_of(value) == kind


@pytest.mark.parametrize(
    ("kinds", "kind"),
    [
        (["null"], "text"),
        (["datetime", "null"], "datetime"),
        (["number", "text"], "text"),
        (["list"], "set"),
        (["list", "text"], "json"),
        (["object", "null"], "json"),
        (["boolean"], "boolean"),
        (["date", "datetime"], "text"),
    ],
)
def test_a_field_of_ones_own_is_proposed_that_takes_all_that_was_seen(kinds, kind):
    assert field_kind(kinds) == kind


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(data=st.dictionaries(st.text(max_size=80), JSON, max_size=60))
def test_nothing_that_a_vendor_sends_raises(data):
    for place, sighting in noted({**data, "door": data}).items():
        assert len(place) <= 66
        assert len(json.dumps(sighting.shape.as_data())) < 500


# --- what may be said of a value, and what a mapping reads ----------------------------------------


@pytest.mark.parametrize(
    ("kind", "personal", "value", "said"),
    [
        ("choice", False, "archived", "'archived'"),
        ("choice", False, "ann@example.com", "email of 15 characters"),
        ("choice", False, "call 0151 123456", "text of 16 characters"),
        ("choice", False, None, "null"),
        ("text", True, "archived", "text of 8 characters"),
        ("email", True, "a@b.example, c@d.example", "text of 24 characters"),
        ("number", False, 491511234567, "number"),
        ("set", False, ["a", "b"], "list of 2"),
    ],
)
def test_of_a_value_only_that_is_said_that_tells_of_nobody(kind, personal, value, said):
    assert told(Field("f", kind, personal=personal), value) == said


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("custom_fields.team", ["team"]),
        ('custom_fields."team a" || custom_fields.b', ["team a", "b"]),
        ("other.custom_fields.team", []),
        ("my_custom_fields.team", []),
        ("join('', [custom_fields.a, custom_fields.b])", ["a", "b"]),
    ],
)
def test_names_that_a_mapping_reads_behind_a_door_are_known(source, names):
    assert list(names_behind("custom_fields", source)) == names
    assert not reads_whole("custom_fields", source)


@pytest.mark.parametrize("source", ["custom_fields", "keys(custom_fields)", "custom_fields | [0]"])
def test_a_mapping_that_reads_everything_behind_a_door_knows_every_name(source):
    assert reads_whole("custom_fields", source)
