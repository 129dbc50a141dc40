"""Transforms and helpers, one by one: readings, writings, and that none ever raises."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.mapping.agent_table import AgentTable, agent_transform
from bridge.core.mapping.compiler import MappingError, compile_field
from bridge.core.mapping.read_helpers import HELPERS
from bridge.core.mapping.transforms import TRANSFORMS
from bridge.core.model.entities import BUILT_IN
from bridge.core.model.values import NotCarried, Unreadable

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("name", "raw", "canonical"),
    [
        ("text", "Help", "Help"),
        ("text", "", None),
        ("text", " ", " "),
        ("email", " Ana@Example.COM ", "ana@example.com"),
        ("email", "", None),
        ("datetime", "2026-03-01T09:30:00Z", "2026-03-01T09:30:00.000000+00:00"),
        ("datetime", "2026-03-01T10:30:00.25+01:00", "2026-03-01T09:30:00.250000+00:00"),
        ("datetime", "2026-03-01T09:30:00.25Z", "2026-03-01T09:30:00.250000+00:00"),
        ("datetime", "2026-03-01T09:30:00.123Z", "2026-03-01T09:30:00.123000+00:00"),
        ("datetime", "2026-03-01T09:30:00,123Z", "2026-03-01T09:30:00.123000+00:00"),
        ("datetime", "2026-03-01T09:30:00.123456Z", "2026-03-01T09:30:00.123456+00:00"),
        ("datetime", "2026-03-01 09:30:00Z", "2026-03-01T09:30:00.000000+00:00"),
        ("datetime", "2026-W09-7T09:30:00Z", "2026-03-01T09:30:00.000000+00:00"),
        ("boolean", False, False),
        ("tags", "  #VIP ", "vip"),
        ("tags", "# #Straße", "strasse"),
        ("tags", "C#", "c#"),
        ("tags", "E\u0301te\u0301", "été"),
    ],
)
def test_reading(name, raw, canonical):
    assert TRANSFORMS[name].read(raw) == canonical


@pytest.mark.parametrize(
    ("name", "raw", "why"),
    [
        ("text", 3, "3 is no text"),
        ("email", "ana", "'ana' is no e-mail address"),
        ("email", ["a@b"], "['a@b'] is no e-mail address"),
        ("datetime", "yesterday", "'yesterday' is no ISO 8601 time"),
        ("datetime", 17, "17 is no ISO 8601 time"),
        (
            "datetime",
            "2026-03-01T09:30:00",
            "'2026-03-01T09:30:00' has no offset: which moment it means is not known",
        ),
        (
            "datetime",
            "2026-03-01T09:30:00.1234567",
            "'2026-03-01T09:30:00.1234567' has no offset: which moment it means is not known",
        ),
        (
            "datetime",
            "0001-01-01T00:00:00+05:00",
            "'0001-01-01T00:00:00+05:00' is outside the calendar",
        ),
        ("boolean", "true", "'true' is neither true nor false"),
        ("tags", "#", "the tag '#' is empty"),
        ("tags", {"name": "x"}, "the tag {'name': 'x'} is no text"),
    ],
)
def test_what_cannot_be_read_is_named(name, raw, why):
    assert TRANSFORMS[name].read(raw) == Unreadable(why)


def test_a_long_value_is_cut_in_the_message():
    assert len(TRANSFORMS["email"].read("x" * 5000).why) < 100


@given(JSON)
def test_reading_is_total_and_what_is_written_reads_as_the_same(raw):
    for transform in TRANSFORMS.values():
        value = transform.read(raw)
        if value is not None and not isinstance(value, Unreadable):
            assert transform.read(transform.write(value)) == value


TABLE = AgentTable({"mary@x.io": "u1", "sam@x.io": 7})


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("u1", "mary@x.io"),
        (7, "sam@x.io"),
        ("u9", Unreadable("the agent 'u9' is not in agents.yaml; add a row for this person")),
        ("role:9", Unreadable("'role:9' is a group, and a group is never read as a person")),
        (True, Unreadable("true names no agent")),
        ({"id": 1}, Unreadable("{'id': 1} names no agent")),
    ],
)
def test_agents_read(raw, canonical):
    assert agent_transform(TABLE, ("role:",)).read(raw) == canonical


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=12))
def test_a_tag_of_ascii_letters_folds_as_any_other(text):
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())
    tag = re.sub(r"\A[\s#]*", "", folded).rstrip()
    read = TRANSFORMS["tags"].read(text)
    assert read == tag if tag else isinstance(read, Unreadable)


def test_agents_written():
    write = agent_transform(TABLE).write
    assert write("mary@x.io") == "u1"
    assert write("who@x.io") == NotCarried("who@x.io has no name here; add it to agents.yaml")


@pytest.mark.parametrize(
    ("unmapped", "read", "written"), [("unassign", None, None), ("mary@x.io", "mary@x.io", "u1")]
)
def test_agents_outside_the_table(unmapped, read, written):
    made = agent_transform(AgentTable(TABLE.people, unmapped), ("role:",))
    assert made.read("u9") == read
    assert made.write("who@x.io") == written
    assert isinstance(made.read("role:9"), Unreadable)


@pytest.mark.parametrize(
    ("name", "argument", "given", "made"),
    [
        ("first-non-empty", None, [None, " ", "b", "c"], "b"),
        ("first-non-empty", None, [None, ""], None),
        ("first-non-empty", None, [0, "b"], 0),
        ("template", "{2}: {1}", ["a", "b"], "b: a"),
        ("template", "{1}{3}", ["a"], "a"),
        ("template", "no {1}", [None], None),
        ("template", "{1}", [["x"]], None),
        ("first-line", None, "\n  one \ntwo", "one"),
        ("first-line", None, " \n", ""),
        ("first-line", None, 5, 5),
        ("cut", 3, "abcd", "abc"),
        ("cut", 3, "ab cd", "ab"),
        ("cut", 3, None, None),
    ],
)
def test_helpers(name, argument, given, made):
    assert HELPERS[name].make(argument)(given) == made


def scored(**options):
    row = {"read": "tags", "as": {"tags": options}}
    return compile_field(BUILT_IN["ticket"]["tags"], row, AgentTable()).map


@pytest.mark.parametrize(
    ("tags", "shown"),
    [
        ([{"name": "Billing", "salience": 0.3}, {"name": "api", "salience": 0.29}], ["Billing"]),
        ([{"name": "a", "salience": 1}, {"name": "b"}, {"name": "c", "salience": None}], ["a"]),
        ([{"name": "a", "salience": True}, {"name": "b", "salience": "0.9"}], []),
        (["plain"], ["plain"]),
        ([], []),
        (None, None),
    ],
)
def test_scored_tags_are_shown_by_name_from_the_threshold_on(tags, shown):
    assert scored(prefix="scope:", min_salience=0.3).extract({"tags": tags}) == shown


def test_without_a_threshold_every_scored_tag_is_shown():
    assert scored(prefix="p-").extract({"tags": [{"name": "a"}, {"name": "b", "salience": 0}]}) == [
        "a",
        "b",
    ]


def test_scored_tags_read_under_their_prefix_and_are_never_written():
    field_map = scored(prefix="scope:", min_salience=0.3)
    assert field_map.read(" #VIP ") == "scope:vip"
    assert field_map.read("#") == Unreadable("the tag '#' is empty")
    assert isinstance(field_map.read({"x": 1}), Unreadable)
    assert isinstance(field_map.write("scope:vip"), NotCarried)
    assert isinstance(field_map.write("vip"), NotCarried)
    assert field_map.write_key is None


def test_other_options_are_another_revision():
    assert scored(prefix="a:").revision != scored(prefix="b:").revision
    assert scored(min_salience=0.3).revision != scored(min_salience=0.4).revision


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"read": "tags", "as": {"tags": {}}}, "allowed rows of prefix, min_salience"),
        ({"read": "tags", "as": {"tags": "scope:"}}, "allowed rows of prefix, min_salience"),
        (
            {"read": "tags", "as": {"tags": {"prefx": "a"}}},
            "tags.prefx: unknown key; allowed prefix, min_salience",
        ),
        (
            {"read": "tags", "as": {"tags": {"prefix": ""}}},
            "tags.prefix: is ''; allowed text in lower case",
        ),
        ({"read": "tags", "as": {"tags": {"prefix": "Scope:"}}}, "tags.prefix: is 'Scope:'"),
        ({"read": "tags", "as": {"tags": {"prefix": " #a"}}}, "tags.prefix: is"),
        ({"read": "tags", "as": {"tags": {"prefix": 1}}}, "tags.prefix: is 1"),
        (
            {"read": "tags", "as": {"tags": {"min_salience": 1.5}}},
            "tags.min_salience: is 1.5; allowed a number from",
        ),
        ({"read": "tags", "as": {"tags": {"min_salience": True}}}, "tags.min_salience: is true"),
        ({"read": "tags", "as": {"tags": {"min_salience": "0.3"}}}, "tags.min_salience: is '0.3'"),
        ({"path": "tags", "as": {"tags": {"prefix": "a:"}}}, "tags with options are only read"),
        (
            {"read": "tags", "write": "tags", "as": {"tags": {"prefix": "a:"}}},
            "tags with options are only read",
        ),
    ],
)
def test_bad_options_of_tags_are_named(row, told):
    with pytest.raises(MappingError, match=re.escape(told)):
        compile_field(BUILT_IN["ticket"]["tags"], row, AgentTable())
