"""The guard: destructive writes, emptied sources and fields that change hands too often."""

from datetime import timedelta

import pytest

from bridge.core.merge.guard import destructive_held, emptied_source, few_enough, flips_too_often
from bridge.core.model.syncs import Guard
from tests.core.builders import at


@pytest.mark.parametrize(
    ("before", "more", "records", "held"),
    [
        (0, 1, 1, False),  # never fewer than the minimum
        (9, 1, 20, False),
        (10, 1, 20, True),
        (29, 1, 100, False),
        (30, 1, 100, True),
        (0, 31, 100, True),
        (500, 0, 100, False),  # nothing destructive in this call
    ],
)
def test_more_than_the_share_and_the_minimum_is_held(before, more, records, held):
    assert (destructive_held(before, more, records, Guard()) is not None) is held


def test_the_message_has_the_figures_and_the_way_on():
    said = destructive_held(30, 1, 100, Guard())
    assert said is not None
    assert "30 destructive writes in the last hour and 1 more" in said
    assert "30 (30% of 100 records, at least 10)" in said
    assert "--approve" in said


def test_the_share_and_the_minimum_can_be_set():
    assert destructive_held(2, 1, 4, Guard(share=0.5, minimum=1)) is not None
    assert destructive_held(1, 1, 4, Guard(share=0.5, minimum=1)) is None


def test_a_source_that_suddenly_lists_nothing_stops():
    said = emptied_source(0, 42, Guard())
    assert said is not None
    assert "42 are known: nothing was changed" in said
    assert emptied_source(1, 42, Guard()) is None
    assert emptied_source(0, 0, Guard()) is None


def test_no_more_records_are_read_because_of_an_empty_listing_than_may_be_destroyed_anyway():
    assert few_enough(10, Guard())
    assert not few_enough(11, Guard())
    assert "10 are known: each is read by itself" in (emptied_source(0, 10, Guard()) or "")


def test_a_field_may_change_hands_so_often_and_no_more():
    guard = Guard(flips=3, flip_window=timedelta(seconds=60))
    flips = [(at(second), "LH"[second % 2]) for second in range(4)]
    assert flips_too_often(flips, flips[-1][0], guard)
    assert not flips_too_often(flips[:3], flips[2][0], guard)
    assert not flips_too_often([], at(0), guard)


def test_only_changes_within_the_window_of_the_last_one_count():
    guard = Guard(flips=3, flip_window=timedelta(seconds=60))
    flips = [(at(second * 30), "L") for second in range(10)]
    assert not flips_too_often(flips, flips[-1][0], guard)
    assert flips_too_often([*flips, (at(270), "H")], at(270), guard)
