import json
import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.model.state import NEVER, Attempt, Element, FieldState, Link, Side, SideField
from bridge.core.model.values import ABSENT, NO_BASE
from bridge.ledger import link_codec, value_codec

names = st.text(max_size=6)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=12)
    | st.just("\ud800\0")
)
# Keys that look like the codec's own are what a hostile vendor would send.
keys = st.sampled_from(["$map", "$tuple", "$time", "$marker", "$", "a"]) | names
raws = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
times = st.datetimes(timezones=st.just(UTC))
canonicals = scalars | st.lists(names, max_size=3).map(tuple) | times
revs = st.integers(min_value=NEVER, max_value=2**40)
decisions = st.dictionaries(names, revs, max_size=3)

field_states = st.builds(
    FieldState,
    value=canonicals,
    rev=revs,
    set_by=names,
    lo=st.none() | times,
    hi=st.none() | times,
    elements=st.dictionaries(keys, st.builds(Element, st.booleans(), revs, names), max_size=3),
    candidates=st.none() | st.dictionaries(names, raws, max_size=2),
    why_open=names,
    ended=st.none() | st.tuples(names, canonicals),
    flips=st.lists(st.tuples(times, names), max_size=2),
    over_since=st.none() | st.tuples(st.none() | times, times),
    in_our_time=st.none() | st.tuples(times, times),
)
side_fields = st.builds(
    SideField,
    shadow=raws | st.just(NO_BASE) | st.just(ABSENT),
    map_rev=names,
    level=revs,
    seen_at=st.none() | times,
    remembered_answer=st.none() | st.tuples(canonicals, raws),
    alias=st.dictionaries(keys, names, max_size=2),
    decided=st.none() | decisions,
    decided_why=names,
    lacks=decisions,
    unreadable=names,
    tried=revs,
    in_our_time=st.none() | st.tuples(times, times),
)
attempts = st.builds(
    Attempt,
    id=names,
    verb=names,
    sent=st.dictionaries(keys, raws, max_size=2),
    before=st.dictionaries(keys, raws | st.just(NO_BASE), max_size=2),
    state_values=st.dictionaries(keys, canonicals, max_size=2),
    revs=decisions,
    send_by=times,
    body=st.dictionaries(keys, raws, max_size=2),
    version=st.none() | names,
)
sides = st.builds(
    Side,
    connection=names,
    remote_id=names,
    fields=st.dictionaries(keys, side_fields, max_size=2),
    version=st.none() | names,
    read_at=st.none() | times,
    attempt=st.none() | attempts,
    missing_since=st.none() | times,
    tombstone=st.booleans(),
    suspect=st.none() | st.fixed_dictionaries({"digest": names, "at": times}),
    in_scope=st.booleans(),
    id=names,
)
links = st.builds(
    Link,
    id=names,
    sync=names,
    entity=names,
    state=st.dictionaries(keys, field_states, max_size=2),
    sides=st.dictionaries(names, sides, max_size=2),
    intents=st.dictionaries(names, names, max_size=2),
    paused=st.booleans(),
)


def kinds(value):
    """The value with its types spelt out: 1 is not True, a list is not a tuple."""
    if isinstance(value, dict):
        return {key: kinds(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value), [kinds(item) for item in value]
    return type(value), value


@given(links)
def test_a_link_comes_back_as_it_was(link):
    assert link_codec.loads(link_codec.dumps(link)) == link


@given(raws | canonicals)
def test_a_value_comes_back_with_its_type(value):
    assert kinds(value_codec.loads(value_codec.dumps(value))) == kinds(value)


def as_documented(value):
    """The value as plain JSON has it, by what the module says: earlier versions wrote just this."""
    if isinstance(value, dict):
        packed = {key: as_documented(item) for key, item in value.items()}
        return {"$map": packed} if any(key.startswith("$") for key in packed) else packed
    if isinstance(value, list | tuple):
        items = [as_documented(item) for item in value]
        return items if isinstance(value, list) else {"$tuple": items}
    if isinstance(value, datetime):
        return {"$time": value.isoformat()}
    return value


odd_numbers = st.sampled_from([2**63, 2**64, -(2**63) - 1, 2.0**64, -1e300, 1e16, -0.0])


@given(st.recursive(raws | canonicals | odd_numbers, lambda inner: st.lists(inner, max_size=3)))
def test_what_other_versions_wrote_is_read_alike_and_they_read_ours(value):
    plain = json.dumps(as_documented(value), separators=(",", ":"))
    ours = value_codec.dumps(value)
    assert kinds(value_codec.loads(plain)) == kinds(value)
    assert kinds(json.loads(ours)) == kinds(json.loads(plain))
    assert ours.isascii()


@pytest.mark.parametrize("text", ["\x7f", "\u00e4", "\U0001f600", "\ud800", "\0", '"\\/\n\x1b'])
def test_a_text_is_always_spelt_alike(text):
    # What a forgotten person's address is looked for by (erasure).
    assert value_codec.dumps(text) == json.dumps(text)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_stays_one(value):
    kept = {"values": [value, 1e300, (value,)]}
    assert repr(value_codec.loads(value_codec.dumps(kept))) == repr(kept)


@given(raws)
def test_what_a_vendor_sends_is_never_taken_for_a_marker(raw):
    field = SideField(shadow=json.loads(json.dumps(raw)))
    found = link_codec.to_side_fields(
        value_codec.loads(value_codec.dumps(link_codec.side_fields({"f": field})))
    )["f"]
    assert found.shadow is not NO_BASE
    assert kinds(found.shadow) == kinds(field.shadow)


def test_never_read_null_and_the_vendors_own_marker_are_three_things():
    shadows = [NO_BASE, None, {"$marker": "NO_BASE"}, "NO_BASE", ABSENT]
    texts = [
        value_codec.dumps(link_codec.side_fields({"f": SideField(shadow=shadow)}))
        for shadow in shadows
    ]
    assert len(set(texts)) == len(shadows)
    assert [
        link_codec.to_side_fields(value_codec.loads(text))["f"].shadow for text in texts
    ] == shadows


def test_a_time_of_another_zone_is_kept_in_utc():
    there = datetime(2026, 3, 1, 13, tzinfo=timezone(timedelta(hours=1)))
    found = value_codec.loads(value_codec.dumps(there))
    assert (found, found.tzinfo) == (there, UTC)


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="no time zone"):
        value_codec.dumps({"at": datetime(2026, 3, 1)})  # noqa: DTZ001 - that is the point


def test_an_unknown_kind_is_refused_where_it_would_be_merged_and_spelt_where_it_is_read():
    with pytest.raises(TypeError, match="complex"):
        value_codec.dumps({"value": 1j})
    with pytest.raises(TypeError, match="keys are strings"):
        value_codec.dumps({1: "a"})
    assert value_codec.loads(value_codec.dumps({1: 1j, "s": {"b", "a"}}, lenient=True)) == {
        "1": "1j",
        "s": ["a", "b"],
    }
