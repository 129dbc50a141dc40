"""One of something is named as one."""

import pytest

from bridge.core.model.counting import counted, counted_each


@pytest.mark.parametrize(
    ("number", "words", "said"),
    [
        (0, ("ticket",), "0 tickets"),
        (1, ("ticket",), "1 ticket"),
        (2, ("ticket",), "2 tickets"),
        (1, ("delivery", "deliveries"), "1 delivery"),
        (3, ("delivery", "deliveries"), "3 deliveries"),
        (1, ("record is", "records are"), "1 record is"),
    ],
)
def test_one_is_named_as_one(number, words, said):
    assert counted(number, *words) == said


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({}, "nothing"),
        ({"customer": 1}, "1 customer"),
        ({"ticket": 2, "customer": 1}, "2 tickets and 1 customer"),
    ],
)
def test_each_entity_is_named_with_its_number(numbers, said):
    assert counted_each(numbers, none="nothing") == said
