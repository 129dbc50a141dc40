"""Markers in records that the bridge makes: they prove themselves, and nothing else passes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.model.markers import SHORT_ORIGINAL_CHARS, Markers, original_key
from bridge.core.model.syncs import Connection, Secret
from bridge.core.model.values import Ref

ORIGINAL = Ref("helpdesk", "ticket", "tkt_1")


def connection(key="k-1", **more):
    return Connection(
        "product", "posthog", "posthog", "https://x", {"api_key": Secret(key)}, **more
    )


@pytest.fixture
def markers():
    return Markers.of(connection())


def test_a_marker_says_what_it_is_a_copy_of(markers):
    marker = markers.plant(ORIGINAL, "0123456789abcdef")
    assert markers.has(marker)
    assert markers.original(marker) == original_key(ORIGINAL)
    assert original_key(ORIGINAL) != original_key(Ref("helpdesk", "ticket", "tkt_2"))
    assert marker != markers.plant(ORIGINAL, "0000000f")


def test_a_marker_fits_into_any_systems_tag(markers):
    marker = markers.plant(ORIGINAL, "0123456789abcdef")
    assert len(f"bridge-{marker}") == 35
    assert marker.isalnum()
    assert marker == marker.lower()


@pytest.mark.parametrize(
    "tag",
    ["", "outage", "club", "2", "team-emea", "Outage", "0123456789abcdef0123", "a" * 28, "9" * 16],
)
def test_a_tag_of_a_humans_is_none(markers, tag):
    assert not markers.has(tag)


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz234567", min_size=28, max_size=28))
def test_what_only_looks_like_a_marker_is_none(text):
    assert not Markers.of(connection()).has(text)


@pytest.mark.parametrize("place", range(28))
def test_no_character_of_a_marker_can_be_changed(markers, place):
    marker = markers.plant(ORIGINAL, "0123456789abcdef")
    other = "b" if marker[place] != "b" else "c"
    assert not markers.has(marker[:place] + other + marker[place + 1 :])


def test_nobody_forges_one_without_the_key(markers):
    assert not markers.has(Markers.of(connection("k-2")).plant(ORIGINAL, "00000000"))


def test_a_key_that_was_changed_is_recognised_while_it_is_listed():
    old, new = Secret("the old key of markers"), Secret("the new key of markers")
    marker = Markers.of(connection(marker_keys=(old,))).plant(ORIGINAL, "00000000")
    both = Markers.of(connection("another api key", marker_keys=(new, old)))
    assert both.has(marker)
    assert not Markers.of(connection(marker_keys=(new,))).has(marker)
    assert Markers.of(connection(marker_keys=(new,))).has(both.plant(ORIGINAL, "00000000"))


def test_a_marker_of_an_earlier_version_is_ours_if_its_create_is_on_record(markers):
    earlier = "0123456789abcdef0123"
    asked = []
    known = markers.with_record(lambda marker: asked.append(marker) or marker == earlier)
    assert known.has(earlier)
    assert not known.has("f" * 20)
    assert not known.has("outage")
    assert asked == [earlier, "f" * 20]  # nothing else is looked for in the ledger
    assert known.original(earlier) == ""


def test_a_number_stands_for_a_marker_and_says_what_it_is_a_copy_of(markers):
    marker = markers.plant(ORIGINAL, "00000000")
    number = markers.number(marker)
    assert 1 << 51 <= number < 1 << 53
    assert markers.has(str(number))
    assert markers.original(str(number)) == original_key(ORIGINAL)[:SHORT_ORIGINAL_CHARS]
    assert not markers.has(str(number ^ 1))
    assert not markers.has(str(number ^ 1 << 30))


@given(st.integers(min_value=0, max_value=1 << 70))
def test_a_number_of_somebody_elses_is_hardly_ever_one(number):
    found = Markers.of(connection()).has(str(number))
    assert not found or (1 << 51) <= number < (1 << 52)
