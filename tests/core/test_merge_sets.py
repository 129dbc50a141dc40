"""The merge of sets, element by element, and of sets that may be withheld."""

import pytest

from bridge.core.merge.created_records import absorb_created
from bridge.core.merge.equality import read_set, unreadable_elements
from bridge.core.merge.lifecycle import resolve
from bridge.core.model.capabilities import Writable
from bridge.core.model.state import Element, SideField
from bridge.core.model.values import NotCarried, Unreadable
from tests.core.builders import (
    MAPS,
    RULES,
    WRITABLE,
    at,
    attempt,
    field,
    fold,
    is_level,
    kinds,
    level,
    link,
    look,
    rules,
    seen,
    shadow,
    value,
)


def cut(name="tags"):
    return field(name, read=fold, write=lambda tag: tag[:4], is_set=True)


@pytest.mark.parametrize(
    ("raw", "known", "alias", "expected"),
    [
        (["VIP", "b"], (), {}, {"vip": "VIP", "b": "b"}),
        (["bill"], (), {}, {"bill": "bill"}),
        (["bill"], ("billing",), {}, {"billing": "bill"}),  # written so
        (["bill"], ("bill", "billing"), {}, {"bill": "bill", "billing": "bill"}),
        (["bl"], (), {"bl": "billing"}, {"billing": "bl"}),  # learned
        (["a", 7], (), {}, {"a": "a"}),
        (None, (), {}, {}),
    ],
)
def test_reading_a_set_knows_spelling_aliases_and_cuts(raw, known, alias, expected):
    assert read_set(cut(), SideField(alias=alias), raw, known) == expected


def test_elements_without_a_reading_are_named():
    assert unreadable_elements(cut(), ["a", 7]) == {"7": "not a tag: 7"}


def test_an_unreadable_element_is_on_record_once_and_the_others_go_on():
    given = level("L", tags=["a"])
    notes = look(given, "L", 1, tags=["a", 7, "b"])
    assert kinds(notes) == ["unreadable", "changed"]
    assert value(given, "tags") == ("a", "b")
    assert look(given, "L", 2, tags=["a", 7, "b"]) == []


def test_f10_sets_unite_at_first_contact_and_every_differing_element_is_recorded():
    given = link("L", "H")
    look(given, "L", 0, tags=["a", "b"])
    notes = look(given, "H", 1, tags=["b", "c"])
    assert value(given, "tags") == ("a", "b", "c")
    assert (notes[0].kind, notes[0].detail["added"], notes[0].detail["missing"]) == (
        "first contact",
        ["c"],
        ["a"],
    )
    assert not is_level(given, "H", "tags")


def test_f14_spelling_is_the_sides_own():
    given = level("L", "H", tags=["vip"])
    assert look(given, "H", 1, tags=["VIP"]) == []
    assert shadow(given, "H", "tags") == ["VIP"]
    assert is_level(given, "H", "tags")


def test_f14_order_and_doubles_mean_nothing():
    given = level("L", tags=["a", "b"])
    assert look(given, "L", 1, tags=["b", "a", "b"]) == []


@pytest.mark.parametrize("policy", ["latest", "merge", "manual", "first"])
def test_f14_additions_and_removals_of_different_elements_both_survive_under_any_policy(policy):
    under = rules(policy)
    given = level("L", "H", tags=["a", "b"], under=under)
    look(given, "L", 1, under=under, tags=["a", "b", "c"])
    look(given, "H", 2, under=under, tags=["b"])
    assert value(given, "tags") == ("b", "c")


def test_f14_a_removal_loses_against_an_addition_that_it_had_not_seen():
    given = level("L", "H", tags=["vip"])
    look(given, "L", 1, tags=[])
    look(given, "L", 2, tags=["vip"])
    notes = look(given, "H", 3, tags=[])
    assert value(given, "tags") == ("vip",)
    assert kinds(notes) == ["conflict"]
    assert (notes[0].detail["element"], notes[0].detail["winner"]) == ("vip", "L")
    assert not is_level(given, "H", "tags")


def test_f14_an_addition_wins_over_a_removal_that_it_had_not_seen_and_the_pair_is_recorded():
    given = level("L", "H", tags=["a", "vip"])
    look(given, "H", 1, tags=["a"])
    look(given, "L", 2, tags=["a"])
    look(given, "H", 3, tags=["a"])
    look(given, "L", 4, tags=["a", "vip"])
    look(given, "L", 5, tags=["a"])
    notes = look(given, "H", 6, tags=["a", "vip"])
    assert kinds(notes) == ["conflict", "changed"]
    assert (notes[0].detail["element"], notes[0].detail["winner"]) == ("vip", "H")
    assert value(given, "tags") == ("a", "vip")


def test_f14_a_side_may_take_back_what_it_added_itself_while_it_is_behind():
    given = level("L", "H", tags=["a"])
    look(given, "L", 1, tags=["a", "b"])
    look(given, "H", 2, tags=["a", "x"])
    look(given, "H", 3, tags=["a"])
    assert value(given, "tags") == ("a", "b")


def after_write(answer, *, sent, call=None, human=("a", "billing"), under=RULES):
    """L's human makes the set; we send `sent` to H (which shows only `a`) and it answers."""
    given = level("L", "H", tags=["a"], under=under)
    look(given, "L", 1, under=under, tags=list(human))
    attempt(given, "H", at_seconds=2, call=call, tags=sent)
    return given, look(given, "H", 3, under=under, own=True, tags=answer)


@pytest.mark.parametrize(
    ("answer", "alias"),
    [
        (["a", "bill"], {"bill": "billing"}),
        (["a", "BILLING "], {}),  # reads as the same element already
        (["a", "bil", "bill"], {"bill": "billing"}),  # the longest; the other is a human's
    ],
)
def test_f14_what_trimming_folding_or_cutting_explains_is_an_alias(answer, alias):
    given, _notes = after_write(answer, sent=["a", "billing"])
    assert given.sides["H"].fields["tags"].alias == alias
    assert "bill" not in value(given, "tags")
    assert ("bil" in value(given, "tags")) is ("bil" in answer)
    assert look(given, "H", 4, tags=answer) == []
    assert is_level(given, "H", "tags")


def test_f14_an_alias_is_never_guessed_by_count():
    given, notes = after_write(["a", "x"], sent=["a", "billing"])
    assert given.sides["H"].fields["tags"].alias == {}
    assert "not carried" in kinds(notes)
    assert value(given, "tags") == ("a", "billing", "x")
    assert is_level(given, "H", "tags")


def test_f14_a_cut_that_the_mapping_declares_rests():
    fields = {**MAPS["H"].fields, "tags": cut()}
    under = rules(maps={**MAPS, "H": type(MAPS["H"])("ticket", fields)})
    given, _notes = after_write(["a", "bill"], sent=["a", "bill"], under=under)
    assert is_level(given, "H", "tags")
    assert look(given, "H", 4, under=under, tags=["a", "bill"]) == []
    assert value(given, "tags") == ("a", "billing")
    look(given, "H", 5, under=under, tags=["a"])
    assert value(given, "tags") == ("a",)


def test_f14_a_set_is_level_only_when_nothing_is_left_of_several_calls():
    given, _notes = after_write(
        ["a", "b"], sent=["a", "b"], call={"tags": "b"}, human=("a", "b", "c")
    )
    assert value(given, "tags") == ("a", "b", "c")
    assert not is_level(given, "H", "tags")


def test_f14_an_edit_makes_no_set_level_that_lacks_what_was_left_alone():
    given = level("L", "H", tags=["a"])
    look(given, "L", 1, tags=["a", "b"])
    given.sides["H"].fields["tags"].decided = {"tags": given.state["tags"].rev}
    look(given, "H", 2, tags=["a"])
    assert is_level(given, "H", "tags")  # by the decision alone: it does not show b
    look(given, "H", 3, tags=["a", "c"])
    assert value(given, "tags") == ("a", "b", "c")
    assert not is_level(given, "H", "tags")


def test_f14_what_is_not_carried_is_tried_again_when_a_human_adds_it_anew():
    given, _notes = after_write(["a"], sent=["a", "billing"])
    assert is_level(given, "H", "tags")
    look(given, "L", 5, tags=["a"])
    look(given, "L", 6, tags=["a", "billing"])
    look(given, "H", 7, tags=["a"])
    assert not is_level(given, "H", "tags")


def test_f14_what_a_system_cannot_give_up_is_not_resurrected_elsewhere():
    given = level("L", "Z", tags=["a", "b"])
    look(given, "L", 1, tags=["a"])
    attempt(given, "Z", at_seconds=2, tags=["a"])
    notes = look(given, "Z", 3, own=True, tags=["a", "b"])
    assert "not given up" in kinds(notes)
    assert is_level(given, "Z", "tags")
    look(given, "Z", 4, tags=["a", "b", "c"])
    assert value(given, "tags") == ("a", "c")


def test_a_removal_that_is_not_to_be_believed_is_kept_and_recorded():
    given = level("L", "Z", tags=["a", "b"])
    assert kinds(look(given, "Z", 1, tags=["a"])) == ["ambiguous removal"]
    assert value(given, "tags") == ("a", "b")
    assert not is_level(given, "Z", "tags")


def test_f15_an_untrusted_empty_set_removes_nothing():
    given = level("L", "P", tags=["a", "b"])
    assert kinds(look(given, "P", 1, tags=[])) == ["ambiguous empty"]
    entry = given.sides["P"].fields["tags"]
    assert (entry.shadow, is_level(given, "P", "tags"), bool(entry.unreadable)) == (
        ["a", "b"],
        True,
        True,
    )
    assert look(given, "P", 2, tags=[]) == []
    assert value(given, "tags") == ("a", "b")
    look(given, "P", 3, tags=["b"])
    assert (value(given, "tags"), entry.unreadable) == (("b",), "")


def test_f15_a_proven_connections_empty_set_is_believed():
    under = rules(writable={**WRITABLE, "P": {"tags": Writable()}})
    given = level("L", "P", tags=["a"], under=under)
    look(given, "P", 1, under=under, tags=[])
    assert value(given, "tags") == ()


def test_f15_an_answer_with_elements_proves_the_field():
    given = link("L", "P")
    look(given, "L", 0, tags=["a"])
    look(given, "P", 0, tags=[])
    opened = attempt(given, "P", at_seconds=2, call={"tags": "a"}, tags=["a"])
    opened.before["tags"] = []
    look(given, "P", 3, own=True, tags=["a"])
    assert is_level(given, "P", "tags")
    assert given.sides["P"].fields["tags"].unreadable == ""


def test_f15_our_own_clearing_stays_open_and_the_next_readable_read_tells():
    given = level("L", "P", tags=["a", "b"])
    look(given, "L", 1, tags=[])
    attempt(given, "P", at_seconds=2, tags=[])
    look(given, "P", 3, own=True, tags=[])
    assert given.sides["P"].attempt.sent == {"tags": []}
    look(given, "L", 4, tags=["a"])
    look(given, "P", 9, tags=["c"])
    assert given.sides["P"].attempt is None
    assert value(given, "tags") == ("a", "c")


@pytest.mark.parametrize(
    ("shown", "expected", "present"),
    [
        (["a", "b"], ["written"], ("a", "b")),  # landed
        (["a"], ["re-sent"], ("a", "b")),  # did not
        (["a", "b", "c"], ["written", "changed"], ("a", "b", "c")),
        (["a", "c"], ["re-sent", "changed"], ("a", "b", "c")),
        ([], ["re-sent", "changed"], ("b",)),  # a human took a away
        (["b"], ["written", "changed"], ("b",)),
    ],
)
def test_f03_one_read_closes_an_attempt_on_a_set_by_element(shown, expected, present):
    given = level("L", "H", tags=["a"])
    look(given, "L", 1, tags=["a", "b"])
    attempt(given, "H", at_seconds=2, tags=["a", "b"])
    notes = look(given, "H", 9, tags=shown)
    assert kinds(notes) == expected
    assert value(given, "tags") == present
    assert given.sides["H"].attempt is None


def test_f03_an_element_that_reads_as_sent_beside_an_old_value_renews_the_state():
    given = level("L", "H", tags=["a"], status="new")
    look(given, "L", 1, tags=["a", "b"], status="open")
    attempt(given, "H", at_seconds=2, tags=["a", "b"], status="open")
    look(given, "H", 9, tags=["a", "b"], status="new")
    assert given.state["tags"].elements["b"] == Element(present=True, rev=3, by="H")


def test_f03_an_element_that_reads_as_sent_is_ours_where_the_state_has_moved_on():
    given = level("L", "H", tags=["a"], status="new")
    look(given, "L", 1, tags=["a", "b"], status="open")
    attempt(given, "H", at_seconds=2, tags=["a", "b"], status="open")
    look(given, "L", 5, tags=["a"])
    look(given, "H", 9, tags=["a", "b"], status="new")
    assert value(given, "tags") == ("a",)
    assert not is_level(given, "H", "tags")


def test_f01_a_humans_element_in_the_answer_of_our_write_is_an_edit():
    given, notes = after_write(["a", "billing", "vip"], sent=["a", "billing"])
    assert "changed" in kinds(notes)
    assert value(given, "tags") == ("a", "billing", "vip")
    assert is_level(given, "H", "tags")


def test_f12_a_vendors_own_tags_on_a_created_record_stay_its_own():
    given = link("L", "H")
    look(given, "L", 0, subject="s", tags=[])
    absorb_created(given, seen("H", 1, subject="s", tags=["auto"]), {"subject": "s"}, RULES)
    assert value(given, "tags") in {None, ()}
    look(given, "L", 2, tags=["a"])
    look(given, "H", 3, tags=["auto", "a"])
    assert value(given, "tags") == ("a",)
    assert is_level(given, "H", "tags")


def test_f12_tags_that_a_create_could_not_take_are_still_due():
    given = link("L", "H")
    look(given, "L", 0, subject="s", tags=["a"])
    absorb_created(given, seen("H", 1, subject="s", tags=[]), {"subject": "s"}, RULES)
    assert value(given, "tags") == ("a",)
    assert not is_level(given, "H", "tags")


def test_an_element_that_no_form_exists_for_does_not_agree_until_that_is_decided():
    field_map = field(
        "tags", read=fold, write=lambda tag: NotCarried("never") if tag == "x" else tag, is_set=True
    )
    given = level("L", tags=["x"])
    assert read_set(field_map, SideField(), [], {"x"}) == {}
    entry = given.sides["L"].fields["tags"]
    entry.shadow, entry.level, entry.lacks = [], 0, {"x": 1}
    look(given, "L", 1, tags=[])
    assert is_level(given, "L", "tags")


def test_a_resolved_set_moves_element_by_element():
    given = level("L", "H", tags=["a", "b"])
    resolve(given, "tags", ["b", "c"], at(5))
    elements = given.state["tags"].elements
    assert value(given, "tags") == ("b", "c")
    assert (elements["a"].present, elements["b"].rev, elements["c"].by) == (False, 1, "admin")


def test_a_set_that_is_withheld_says_nothing():
    given = level("L", "H", tags=["a"])
    assert kinds(look(given, "H", 1, tags=Unreadable("no licence"))) == ["unreadable"]
    assert shadow(given, "H", "tags") == ["a"]
