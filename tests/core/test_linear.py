"""Twice as many tags cost twice as much: the merge and the plan are counted in steps, not seconds.

A step is a call, or a comparison of two tags, wherever it happens: also inside of a list.
"""

from __future__ import annotations

import sys
from collections import Counter

import pytest

from bridge.core.mapping.fieldmap import EntityMap
from bridge.core.merge.created_records import absorb_created
from bridge.core.model.values import Unreadable
from tests.core.builders import attempt, field, link, look, rules, seen, value
from tests.core.planning import Scene

STEPS = Counter()


class Tag(str):
    """A tag that counts how often it is compared."""

    __slots__ = ()

    def __eq__(self, other):
        STEPS["compared"] += 1
        return str.__eq__(self, other)

    def __lt__(self, other):
        STEPS["compared"] += 1
        return str.__lt__(self, other)

    def __hash__(self):
        return str.__hash__(self)


def as_it_is(raw):
    return raw if isinstance(raw, str) else Unreadable("no text")


MAPS = {
    name: EntityMap(
        "ticket",
        {"tags": field("tags", read=as_it_is, write=lambda tag: tag[:6], is_set=True)},
    )
    for name in ("L", "H")
}
RULES = rules(maps=MAPS, writable={})


def tags(word, number):
    return [Tag(f"{word}-{index:05}") for index in range(number)]


def objects(word, number):
    return [{"name": tag, "of": [1, {"deep": tag}]} for tag in tags(word, number)]


def both_show(raw):
    given = link("L", "H")
    for name in ("L", "H"):
        look(given, name, 0, under=RULES, tags=raw)
    return given


def other_tags(number):
    given = both_show(tags("old", number))
    return lambda: look(given, "L", 1, under=RULES, tags=tags("new", number))


def the_same_in_another_order(number):
    given = both_show(tags("old", number))
    return lambda: look(given, "L", 1, under=RULES, tags=tags("old", number)[::-1])


def objects_in_place_of_tags(number):
    given = both_show(objects("old", number))
    return lambda: look(given, "L", 1, under=RULES, tags=objects("old", number)[::-1])


def an_answer_that_cuts_every_tag(number):
    given = both_show([])
    look(given, "L", 1, under=RULES, tags=[Tag(f"{index:05} and more") for index in range(number)])
    attempt(given, "H", at_seconds=2, tags=[Tag(f"{index:05} and more") for index in range(number)])
    cut = [Tag(f"{index:05}") for index in range(number)]
    return lambda: look(given, "H", 3, under=RULES, own=True, tags=cut)


def an_answer_that_takes_no_tag(number):
    given = both_show([])
    look(given, "L", 1, under=RULES, tags=tags("sent", number))
    attempt(given, "H", at_seconds=2, tags=tags("sent", number))
    return lambda: look(given, "H", 3, under=RULES, own=True, tags=tags("human", number))


def a_write_of_unknown_outcome(number):
    given = both_show(tags("old", number))
    look(given, "L", 1, under=RULES, tags=tags("sent", number))
    attempt(given, "H", at_seconds=2, tags=tags("sent", number))
    return lambda: look(given, "H", 60, under=RULES, tags=tags("old", number)[::2] + tags("h", 2))


def a_created_record(number):
    given = both_show(tags("old", number))
    given.sides["H"].fields.clear()
    sent = {"tags": tags("old", number)}
    obs = seen("H", 2, tags=tags("vendor", number))
    return lambda: absorb_created(given, obs, sent, RULES, found=True)


def planned(before, after):
    def plan(number):
        scene = Scene(sides="LH")
        scene.show("H", tags=before(number))
        scene.show("L", tags=before(number))
        scene.show("L", tags=after(number))
        return lambda: scene.plan("H")

    return plan


SITUATIONS = {
    "other tags": other_tags,
    "the same in another order": the_same_in_another_order,
    "objects in place of tags": objects_in_place_of_tags,
    "an answer that cuts every tag": an_answer_that_cuts_every_tag,
    "an answer that takes no tag": an_answer_that_takes_no_tag,
    "a write of unknown outcome": a_write_of_unknown_outcome,
    "a created record": a_created_record,
    "a plan that adds": planned(lambda _: [], lambda number: tags("new", number)),
    "a plan that removes": planned(lambda number: tags("old", number), lambda _: []),
    "a plan that replaces": planned(
        lambda number: tags("old", number), lambda number: tags("new", number)
    ),
    "a plan that keeps what it cannot read": planned(
        lambda number: objects("old", number), lambda number: tags("new", number)
    ),
}


def steps(act):
    STEPS.clear()

    def count(_frame, event, _argument):
        if event in ("call", "c_call"):
            STEPS["called"] += 1

    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(None)
    return STEPS.total()


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS.keys())
def test_twice_as_many_tags_cost_about_twice_as_much(situation):
    once, twice = (steps(situation(number)) for number in (100, 200))
    assert once > 100, "nothing was counted"
    assert twice < 2.6 * once, f"{once} steps for 100 tags, {twice} for 200"


def test_cut_tags_are_still_known_as_ours():
    given = both_show([])
    look(given, "L", 1, under=RULES, tags=["alphabet", "alpine"])
    attempt(given, "H", at_seconds=2, tags=["alphabet", "alpine"])
    look(given, "H", 3, under=RULES, own=True, tags=["alph", "alpi", "human"])
    assert value(given, "tags") == ("alphabet", "alpine", "human")
