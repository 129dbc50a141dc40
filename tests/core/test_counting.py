"""One of something is named as one."""

import pytest

from bridge.core.model.counting import counted


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
