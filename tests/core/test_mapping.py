"""Compiled mappings: paths, fields and entities, read and written.

What is wrong with a declaration: test_mapping_problems.py.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.mapping.agent_table import AgentTable
from bridge.core.mapping.compiler import MappingError, compile_entity, compile_field
from bridge.core.mapping.field_declaration import FIELD_KEYS
from bridge.core.mapping.paths import MAX_EXPRESSION_CHARS, BadPath, compile_path
from bridge.core.model.entities import TICKET
from bridge.core.model.values import ABSENT, NO_NUMBER, NotCarried, Unreadable
from bridge.foreign_json import loads
from tests.core.test_transforms import JSON

NOBODY = AgentTable()


def field(name, declared, agents=NOBODY):
    return compile_field(TICKET[name], declared, agents).map


def wrong(name, declared):
    with pytest.raises(MappingError) as caught:
        field(name, declared)
    return [(".".join(map(str, where)), what) for where, what in caught.value.problems]


# --- paths ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "record", "raw"),
    [
        ("a", {"a": 1}, 1),
        ("a", {"a": None}, None),
        ("a", {}, ABSENT),
        ("a.b", {"a": {"b": 1}}, 1),
        ("a.b", {"a": None}, None),
        ("a.b", {"a": {}}, ABSENT),
        ("a.b", {}, ABSENT),
        ("a.b", {"a": "x"}, Unreadable("there is no b to read in what is no object (path a.b)")),
        ("a || b", {"a": None, "b": 2}, 2),
        ("a || b", {"b": 2}, ABSENT),
        ("tags[].name", {"tags": [{"name": "x"}]}, ["x"]),
        ("length(a)", {"a": [1, 2]}, 2),
        ("@.a", {"a": 1}, 1),
        ("`7`", {}, 7),
    ],
)
def test_null_absent_and_unreadable_are_three_things(path, record, raw):
    assert compile_path(path).get(record) == raw


@pytest.mark.parametrize(
    ("path", "record"),
    [
        ("a", {"a": NO_NUMBER}),
        ("a", {"a": ["x", NO_NUMBER]}),
        ("a.b", {"a": NO_NUMBER}),
        ("a.b", {"a": {"b": NO_NUMBER}}),
        ("a || b", {"a": NO_NUMBER, "b": 2}),
        ("a && a.b", {"a": {"b": NO_NUMBER}}),
        ("a[].b", {"a": [{"b": "x"}, {"b": NO_NUMBER}]}),
        ("a.b || c", {"a": {"b": None}, "c": NO_NUMBER}),
    ],
)
def test_a_number_that_json_does_not_have_is_unreadable_and_not_null(path, record):
    assert isinstance(compile_path(path).get(record), Unreadable)


def test_a_choice_that_may_be_null_is_not_emptied_by_a_number_that_is_none():
    declared = {"path": "priority", "read": {"low": "low", None: None}}
    shown = loads(b'{"priority": NaN, "tags": ["a", NaN]}')
    assert isinstance(field("priority", declared).extract(shown), Unreadable)
    assert isinstance(field("tags", "tags").extract(shown), Unreadable)


def test_an_expression_that_fails_is_unreadable():
    assert "cannot be evaluated" in compile_path("length(a)").get({"a": 3}).why


@pytest.mark.parametrize(
    ("path", "roots"),
    [
        ("a.b.c", "a"),
        ("a || b.c", "a b"),
        ("tags[?name=='x'].name | [0]", "tags"),
        ("sort_by(xs, &k)[0].z", "xs"),
        ("{x: a, y: b}", "a b"),
        ("a.*.b", "a"),
        ("a && !b", "a b"),
        ("to_string(@)", "@"),
    ],
)
def test_the_names_that_an_expression_looks_at(path, roots):
    assert compile_path(path).roots == frozenset(roots.split())


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("a" * (MAX_EXPRESSION_CHARS + 1), "is 501 characters long; allowed at most 500"),
        (
            "a ||",
            (
                "is no JMESPath expression: it ends too early; is a bracket not closed, or is "
                "a value missing?"
            ),
        ),
        ("nope(a)", "calls nope(), which JMESPath does not have; allowed abs, avg, "),
        ("(" * 400, "is no JMESPath expression: "),
        ("", "must be a path; allowed a plain path such as status"),
        (7, "must be a path; allowed a plain path such as status"),
    ],
)
def test_paths_that_cannot_be_used(path, why):
    with pytest.raises(BadPath) as caught:
        compile_path(path)
    assert str(caught.value).startswith(why)


# --- fields ---------------------------------------------------------------------------------------

STATUS = {
    "path": "state",
    "read": {"new": "new", "open": "open", "doing": "open", "done": "closed"},
    "write": {"new": "new", "open": "open", "resolved": "done", "closed": "done"},
    "not_carried": ["pending", "on_hold"],
}


def test_value_tables():
    field_map = field("status", STATUS)
    assert [field_map.read(raw) for raw in ("new", "doing")] == ["new", "open"]
    assert field_map.read("odd") == Unreadable(
        "the table `read` of status has no row for 'odd'; add one"
    )
    assert isinstance(field_map.read(None), Unreadable)
    assert isinstance(field_map.read(["new"]), Unreadable)
    assert field_map.write("resolved") == "done"
    assert field_map.write("pending") == NotCarried("status 'pending' is declared as not carried")
    assert field_map.write(None) == NotCarried("status null has no writing here")


def test_a_table_tells_types_apart():
    field_map = field("priority", {"path": "level", "read": {1: "low", "1": "high"}})
    assert field_map.read(1) == field_map.read(1.0) == "low"
    assert field_map.read("1") == "high"
    assert isinstance(field_map.read(True), Unreadable)


def test_one_table_serves_both_ways_where_it_can_be_turned_round():
    field_map = field("priority", {"path": "p", "read": {"l": "low", "h": "high", None: None}})
    assert [field_map.write(value) for value in ("low", "high", None)] == ["l", "h", None]
    assert wrong("priority", {"path": "p", "read": {"l": "low", "m": "low"}}) == [
        ("read.m", "'l' and 'm' both stand for 'low'; add a `write` table")
    ]


def test_short_form_is_a_path_for_both_ways():
    field_map = field("subject", "title")
    assert (field_map.extract({"title": "x"}), field_map.write_key, field_map.write("x")) == (
        "x",
        "title",
        "x",
    )


def test_read_only_and_only_on():
    assert field("created_at", {"read": "made"}).write_key is None
    field_map = field("customer", {"read": "c.mail", "write": "mail", "only_on": "create"})
    assert (field_map.on_create, field_map.on_update, field_map.write_key) == (True, False, "mail")
    assert field("status", STATUS | {"only_on": "update"}).on_create is False


def test_default_unless_null_and_max_length():
    field_map = field(
        "subject", {"path": "t", "default": "(none)", "unless_null": True, "max_length": 4}
    )
    assert field_map.read(None) == field_map.read("") == "(none)"
    assert field_map.write(None) == NotCarried("an empty subject is not written here (unless_null)")
    assert field_map.write("abcdef") == "abcd"


def test_several_paths():
    field_map = field(
        "subject", {"read": ["t.s", "m"], "as": ["first-non-empty", "first-line", {"cut": 5}]}
    )
    assert field_map.extract({"t": {}, "m": "hello world\nx"}) == "hello world\nx"
    assert field_map.read("hello world\nx") == "hello"
    assert field_map.extract({"t": {"s": "a"}, "m": None}) == "a"
    assert field_map.extract({"m": "x"}) is ABSENT
    assert isinstance(field_map.extract({"t": 3, "m": "x"}), Unreadable)


def test_sets():
    field_map = field("tags", {"path": "tags", "as": "tags"})
    assert field_map.is_set
    assert field_map.extract({"tags": ["A"]}) == ["A"]
    assert field_map.extract({"tags": None}) is None
    assert field_map.extract({"tags": "a,b"}) == Unreadable("tags is 'a,b', which is no list")
    assert (field_map.read("#A"), field_map.write("a")) == ("a", "a")


def test_a_choice_in_our_own_words_needs_no_table():
    field_map = field("status", "status")
    assert (field_map.read("open"), field_map.read(None), field_map.write("open")) == (
        "open",
        None,
        "open",
    )
    assert field_map.read("odd") == Unreadable(
        "status 'odd' is none of ours; give status a table `read`"
    )


def test_revisions_follow_the_meaning_alone():
    base = field("status", STATUS).revision
    turned = {**STATUS, "read": dict(reversed(STATUS["read"].items()))}
    assert field("status", turned).revision == base
    assert field("status", STATUS | {"only_on": "update"}).revision == base
    assert field("status", {**STATUS, "path": "other"}).revision != base
    assert field("status", {**STATUS, "read": {**STATUS["read"], "x": "new"}}).revision != base
    mary, sam = AgentTable({"mary@x.io": "u1"}), AgentTable({"mary@x.io": "u2"})
    assert field("assignee", "a", mary).revision != field("assignee", "a", sam).revision
    assert field("subject", "a", mary).revision == field("subject", "a", sam).revision
    assert field("subject", "a").revision == field("subject", {"path": "a"}).revision


# --- entities -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "version"),
    [
        ("2026-03-01T10:30:00+01:00", "2026-03-01T09:30:00.000000+00:00"),
        (17, "00000000000000000017"),
        ("?", None),
        (None, None),
        (True, None),
        ([], None),
    ],
)
def test_versions_sort_by_age(raw, version):
    made = compile_entity(
        "ticket", {"id": "id", "version": "v", "fields": {"subject": "s"}}, NOBODY
    ).map
    assert made.version({"v": raw}) == version
    assert made.version({}) is None


DECLARED = {
    "id": "id",
    "version": "v",
    "fields": {
        "subject": {"read": ["t.s", "m"], "as": ["first-non-empty", "first-line", {"cut": 9}]},
        "description": {"read": "t.s || m", "write": "m", "max_length": 3},
        "status": STATUS,
        "assignee": {"path": "o", "as": {"agent": {"groups": "role:"}}},
        "tags": "tags",
        "customer": {"read": "c.mail"},
        "created_at": {"read": "made"},
        "ai_resolved": "bot",
    },
}


def test_a_group_is_nobodys_name_in_the_directory():
    with pytest.raises(MappingError) as caught:
        compile_entity("ticket", DECLARED, AgentTable({"mary@x.io": "role:7"}))
    why = "'role:7' is a group here, and agents.yaml gives it to mary@x.io; take it out of that row"
    assert caught.value.problems == [(("fields", "assignee", "as"), why)]


@given(
    st.dictionaries(
        st.sampled_from(["id", "v", "t", "m", "state", "o", "tags", "c", "made", "bot"]), JSON
    )
)
def test_reading_any_record_is_total(record):
    made = compile_entity("ticket", DECLARED, AgentTable({"mary@x.io": "u1"})).map
    for value in made.canonical(record).values():
        if not isinstance(value, Unreadable):
            json.dumps(value)


@given(
    st.dictionaries(st.sampled_from(FIELD_KEYS), JSON, max_size=5), st.sampled_from(sorted(TICKET))
)
def test_any_declaration_compiles_or_says_why(declared, name):
    try:
        made = field(name, declared)
    except MappingError:
        return
    made.read("x")
    made.write("x")
