"""The merge of sets that a system finds by itself and that are only read."""

from dataclasses import replace

from bridge.core.mapping.fieldmap import EntityMap
from bridge.core.model.capabilities import Writable
from tests.core.builders import MAPS, field, fold, is_level, kinds, level, look, rules, value


def found_by_r(**options):
    """L is a helpdesk; R shows tags of its own finding, which are only read."""
    tags = replace(field("tags", read=fold, is_set=True), write_key=None, source="found")
    maps = {"L": MAPS["L"], "R": EntityMap("ticket", {"tags": tags})}
    return rules(maps=maps, writable={"R": {"found": Writable(**options)}})


def test_what_vanishes_from_a_set_that_is_only_read_stays_where_removals_are_not_believed():
    under = found_by_r(removes=False)
    given = level("L", "R", tags=["a", "b"], under=under)
    notes = look(given, "R", 1, under=under, tags=["b"])
    assert (kinds(notes), value(given, "tags")) == (["ambiguous removal"], ("a", "b"))
    assert is_level(given, "L", "tags")
    look(given, "R", 2, under=under, tags=["a", "b", "c"])
    assert value(given, "tags") == ("a", "b", "c")


def test_an_empty_set_that_is_only_read_says_nothing_where_it_is_not_believed():
    under = found_by_r(empty_trusted=False)
    given = level("L", "R", tags=["a"], under=under)
    look(given, "R", 1, under=under, tags=[])
    assert value(given, "tags") == ("a",)
    assert given.sides["R"].fields["tags"].unreadable


def test_what_is_only_read_is_taken_at_its_word_where_nothing_is_declared():
    under = found_by_r()
    given = level("L", "R", tags=["a", "b"], under=under)
    look(given, "R", 1, under=under, tags=["b"])
    assert value(given, "tags") == ("b",)
