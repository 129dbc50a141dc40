"""Fields of one's own, kind by kind: what they read, and the laws that all of them keep."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.mapping.agent_table import AgentTable
from bridge.core.mapping.compiler import compile_field
from bridge.core.mapping.given_values import value_of_words
from bridge.core.mapping.scalar_forms import LARGEST_WHOLE, MAX_URL_CHARS, json_of, json_value
from bridge.core.merge.equality import agrees, same_raw
from bridge.core.model.entities import Field
from bridge.core.model.limits import MAX_FIELD_DEPTH, MAX_FIELD_PARTS
from bridge.core.model.state import FieldState, SideField
from bridge.core.model.values import ABSENT, NO_NUMBER, NotCarried, Unreadable, same_json

CHOICES = ("billing", "product", "infra")
KINDS = ("text", "number", "boolean", "choice", "date", "datetime", "email", "agent", "url", "json")
AGENTS = AgentTable({"mary@x.io": "u1", "sam@x.io": 7})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
GOOD = {
    "text": st.text(min_size=1),
    "number": st.integers(-LARGEST_WHOLE, LARGEST_WHOLE)
    | st.floats(-(2.0**53), 2.0**53, allow_nan=False),
    "boolean": st.booleans(),
    "choice": st.sampled_from(CHOICES),
    "date": st.dates().map(str),
    "datetime": st.datetimes(timezones=st.timezones()).map(lambda at: at.isoformat()),
    "email": st.sampled_from(["Ana <Ana@Example.com>", "b@x.io"]),
    "agent": st.sampled_from(["u1", 7]),
    "url": st.sampled_from(["HTTPS://Example.com/A?b=1", "http://x.io:80", " https://a.b/#c "]),
    "json": JSON,
}


def field(kind):
    choices = CHOICES if kind == "choice" else ()
    return Field("own", kind, choices, declared=(kind, *choices))


def own(kind, declared="box.own"):
    return compile_field(field(kind), declared, AGENTS, ("box",)).map


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        ("number", 3, 3),
        ("number", 3.0, 3),
        ("number", -0.0, 0),
        ("number", 0.5, 0.5),
        ("number", LARGEST_WHOLE, LARGEST_WHOLE),
        ("date", "2024-02-29", "2024-02-29"),
        ("url", " HTTPS://Example.com/Path?q=A ", "https://example.com/Path?q=A"),
        ("url", "https://İstanbul.example/path?q=A", "https://i̇stanbul.example/path?q=A"),
        ("url", " ", None),
        ("json", {"b": 1.0, "a": [True, None]}, '{"a":[true,null],"b":1}'),
        ("json", "x", '"x"'),
        ("json", False, "false"),
        ("text", "", None),
    ],
)
def test_reading(kind, raw, value):
    assert same_json(own(kind).read(raw), value)


@pytest.mark.parametrize(
    ("kind", "raw", "why"),
    [
        ("number", "3", "'3' is no number"),
        ("number", True, "true is no number"),
        ("number", LARGEST_WHOLE + 1, "map it as text"),
        ("number", math.inf, "map it as text"),
        ("number", math.nan, "map it as text"),
        ("number", NO_NUMBER, "is no number"),
        ("date", "2023-02-29", "is no date"),
        ("date", "2026-3-1", "is no date"),
        ("date", "20260301", "is no date"),
        ("date", 20260301, "is no date"),
        ("date", "2026-W09-7", "is no date"),
        ("url", "javascript:alert(1)", "is no web address"),
        ("url", "https://", "is no web address"),
        ("url", "https://a b", "is no web address"),
        ("url", "https://x.io/\n", None),
        ("url", "https://x.io/a\nb", "is no web address"),
        ("url", "https://user:secret@x.io", "a name or password"),
        ("url", "https://x.io:99999", "is no web address"),
        ("url", "https://[::1", "is no web address"),
        ("url", "https://x.io/" + "a" * MAX_URL_CHARS, "at most 2,000"),
        ("url", 3, "is no web address"),
        ("json", {"a": [NO_NUMBER]}, "NaN or infinity"),
        ("json", {"a": math.nan}, "JSON"),
        ("json", [0] * (MAX_FIELD_PARTS + 1), "parts"),
        ("choice", "sales", "is none of ours"),
        ("choice", ["billing"], "is none of ours"),
    ],
)
def test_what_cannot_be_read_is_named_and_never_the_secret(kind, raw, why):
    value = own(kind).read(raw)
    if why is None:
        assert isinstance(value, str)
        return
    assert isinstance(value, Unreadable)
    assert why in value.why
    assert "secret" not in value.why
    assert len(value.why) < 200


def test_a_number_of_any_length_is_too_large_and_not_written_out():
    assert "map it as text" in own("number").read(10**5000).why


def test_what_is_nested_too_deeply_is_measured_and_not_followed():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    value = json_of(deep)
    assert isinstance(value, Unreadable)
    assert str(MAX_FIELD_DEPTH) in value.why
    assert isinstance(own("json").extract({"box": {"own": deep}}), list)


@pytest.mark.parametrize("kind", KINDS)
@given(raw=JSON)
def test_reading_is_total_and_what_is_written_reads_as_the_same(kind, raw):
    mapped = own(kind)
    value = mapped.read(raw)
    if isinstance(value, Unreadable):
        return
    assert value is None or isinstance(value, str | int | float)
    back = mapped.write(value)
    assert not isinstance(back, NotCarried)
    assert same_json(mapped.read(back), value)


@pytest.mark.parametrize("kind", KINDS)
@given(st.data())
def test_what_another_side_is_written_reads_as_what_this_side_shows(kind, data):
    mapped = own(kind)
    value = mapped.read(data.draw(GOOD[kind]))
    if isinstance(value, Unreadable):  # JSON with a float that is none, a time out of range
        return
    state, entry = FieldState(value=value, rev=1), SideField()
    assert agrees(mapped, entry, mapped.write(value), state)


@pytest.mark.parametrize("kind", KINDS)
def test_three_kinds_of_nothing(kind):
    mapped = own(kind)
    assert mapped.extract({"box": {"own": None}}) is None
    assert mapped.read(None) is None
    assert mapped.write(None) is None
    # The box is shown whole: what is not in it has no value. Not shown at all, it says nothing.
    assert mapped.extract({"box": {}}) is None
    assert mapped.extract({"box": None}) is None
    assert mapped.extract({}) is ABSENT
    assert isinstance(mapped.extract({"box": {"own": NO_NUMBER}}), Unreadable)
    assert isinstance(mapped.extract({"box": "text"}), Unreadable)
    assert isinstance(mapped.extract({"box": [1]}), Unreadable)


def test_elsewhere_a_name_that_is_not_shown_says_nothing():
    mapped = compile_field(field("text"), "other.own", AGENTS, ("box",)).map
    assert mapped.extract({"other": {}}) is ABSENT


@given(JSON, JSON)
def test_json_is_the_same_exactly_when_its_text_is(one, other):
    texts = json_of(one), json_of(other)
    if any(isinstance(text, Unreadable) for text in texts):
        return
    assert same_json(one, other) == (texts[0] == texts[1])
    assert same_json(json_value(texts[0]), one)


@given(JSON)
def test_a_value_is_the_same_as_itself_after_storing(value):
    text = json.dumps(value)
    if "NaN" not in text:  # which is nothing's like
        assert same_json(value, json.loads(text))


def test_true_is_not_one():
    mapped = own("json")
    assert not same_raw(mapped, {"a": [True]}, {"a": [1]})
    assert same_raw(mapped, {"a": [1.0]}, {"a": [1]})
    assert not agrees(mapped, SideField(), {"a": 1}, FieldState(value='{"a":true}', rev=1))


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("number", "3.0", 3),
        ("boolean", "true", True),
        ("json", '{"b": 1, "a": 2}', '{"a":2,"b":1}'),
        ("date", "2026-03-01", "2026-03-01"),
        ("datetime", "2026-03-01T09:30:00Z", "2026-03-01T09:30:00.000000+00:00"),
        ("email", "Ana@X.io", "ana@x.io"),
        ("agent", "Ana@X.io", "ana@x.io"),
        ("url", "https://X.io", "https://x.io"),
        ("choice", "infra", "infra"),
        ("text", "3", "3"),
        ("set", "#B, a", ("a", "b")),
        ("number", "null", None),
    ],
)
def test_values_that_people_give_in_words(kind, text, value):
    assert same_json(value_of_words(field(kind), text), value)


@pytest.mark.parametrize(
    ("kind", "text", "allowed"),
    [
        ("number", "three", "a number, null"),
        ("number", "NaN", "a number, null"),
        ("boolean", "yes", "true, false, null"),
        ("boolean", "1", "true, false, null"),
        ("json", "{", "JSON, null"),
        ("date", "1.3.2026", "a date such as 2026-03-01, null"),
        ("datetime", "noon", "a time such as 2026-03-01T09:30:00Z, null"),
        ("email", "ana", "an e-mail address, null"),
        ("agent", "ana", "an e-mail address, null"),
        ("url", "x.io", "an address such as https://host/path, null"),
        ("choice", "sales", "billing, product, infra, null"),
    ],
)
def test_words_that_are_no_value_name_what_is(kind, text, allowed):
    refused = value_of_words(field(kind), text)
    assert refused == Unreadable(f"own cannot be {text!r}; allowed: {allowed}")
