"""Sets: by element, in the side's own spelling, and never blindly."""

from dataclasses import replace

from bridge.core.merge.created_records import absorb_created
from bridge.core.model.capabilities import Support, Verb
from bridge.core.model.values import NotCarried, Unreadable
from bridge.core.planning.planner import forget_tried, mark_tried
from tests.core.builders import seen
from tests.core.planning import FIRST, MAPS, Scene, given_rules


def tags(scene, connection, *elements):
    return scene.show(connection, **{**FIRST[connection], "tags": list(elements)})


def refusing(word):
    """L, but a word cannot be written there."""
    old = MAPS["L"].fields["tags"]
    field_map = replace(
        old, write=lambda value: NotCarried(f"no {word}") if value == word else value
    )
    return {**MAPS, "L": replace(MAPS["L"], fields={**MAPS["L"].fields, "tags": field_map})}


class TestReplace:
    """Rule F14: a replacing write keeps what the side has, as it spells it."""

    def test_own_spellings_stay_and_only_what_is_missing_is_added(self):
        scene = Scene("LH", H={"tags": ["VIP", "a"]}, L={"tags": ["vip", "a"]})
        tags(scene, "L", "vip", "a", "new")
        (call,) = scene.plan("H").calls
        assert call.body == {"tags": ["VIP", "a", "new"]}
        assert call.sent == {"tags": ["VIP", "a", "new"]}
        assert call.before == {"tags": ["VIP", "a"]}
        assert call.state_values == {"tags": ("a", "new", "vip")}
        assert call.destructive == ()

    def test_a_removal_goes_with_it_in_every_spelling(self):
        scene = Scene("LH", H={"tags": ["VIP", "vip", "a"]}, L={"tags": ["vip", "a"]})
        tags(scene, "L", "a", "new")
        (call,) = scene.plan("H").calls
        assert call.body == {"tags": ["a", "new"]}
        assert call.destructive == ("tags: 'vip' removed",)

    def test_spelling_alone_is_no_difference(self):
        scene = Scene("LH", H={"tags": ["VIP"]}, L={"tags": ["vip"]})
        scene.link.sides["H"].fields["tags"].level = -1
        assert scene.calls("H") == []

    def test_an_element_that_cannot_be_read_is_kept(self):
        scene = Scene("LH", H={"tags": ["a", 7]})
        tags(scene, "L", "b")
        assert scene.calls("H") == [("patch", {"tags": [7, "b"]})]

    def test_an_alias_stands_for_what_was_sent(self):
        scene = Scene("LH", H={"tags": ["a", "bill"]}, L={"tags": ["a", "billing"]})
        entry = scene.entry("H", "tags")
        scene.decide("tags", ["a", "billing"])
        entry.alias = {"bill": "billing"}
        assert scene.calls("H") == []
        scene.decide("tags", ["a"])
        assert scene.calls("H") == [("patch", {"tags": ["a"]})]

    def test_nothing_is_removed_where_removing_does_not_work(self):
        scene = Scene("LH")
        scene.set_capability("H", "tags", removes=False)
        tags(scene, "L", "b")
        found = scene.plan("H")
        assert [call.body for call in found.calls] == [{"tags": ["a", "b"]}]
        (note,) = found.notes
        assert (note.kind, note.detail["element"]) == ("not carried", "a")
        assert note.detail["why"] == "nothing can be removed from tags"
        assert scene.plan("H").notes == []

    def test_the_last_element_stays_where_a_set_cannot_be_emptied(self):
        scene = Scene("LH")
        scene.set_capability("H", "tags", clears=False)
        tags(scene, "L")
        found = scene.plan("H")
        assert found.calls == []
        assert [note.detail["why"] for note in found.notes] == ["tags cannot be emptied"]
        assert scene.plan("H").notes == []

    def test_tags_go_in_one_call_with_the_rest(self):
        scene = Scene("LH")
        scene.show("L", **{**FIRST["L"], "tags": ["a", "b"], "status": "open"})
        assert scene.calls("H") == [("patch", {"status": "open", "tags": ["a", "b"]})]

    def test_unproven_tags_go_alone(self):
        scene = Scene("LH")
        scene.set_capability("H", "tags", on_update=Support.PROBED)
        scene.show("L", **{**FIRST["L"], "tags": ["a", "b"], "status": "open"})
        assert scene.calls("H") == [("patch", {"status": "open"}), ("patch", {"tags": ["a", "b"]})]


class TestElements:
    """One element a call, in the order in which they are made."""

    def test_missing_ones_are_attached_one_by_one(self):
        scene = Scene("LZ")
        tags(scene, "L", "a", "b", "c")
        first, second = scene.plan("Z").calls
        assert (first.verb, first.body, first.before, first.sent) == (
            "attach",
            {"tags": "b"},
            {"tags": ["a"]},
            {"tags": ["a", "b"]},
        )
        assert (second.body, second.before, second.sent) == (
            {"tags": "c"},
            {"tags": ["a", "b"]},
            {"tags": ["a", "b", "c"]},
        )
        assert first.state_values == {"tags": ("a", "b", "c")}
        assert first.revs == {"tags": scene.link.state["tags"].rev}

    def test_f14_what_cannot_be_detached_is_put_down_once_by_element(self):
        scene = Scene("LZ")
        tags(scene, "L", "b")
        found = scene.plan("Z")
        assert [call.body for call in found.calls] == [{"tags": "b"}]
        assert [note.detail["element"] for note in found.notes] == ["a"]
        assert scene.entry("Z", "tags").lacks == {"a": scene.link.state["tags"].elements["a"].rev}
        assert scene.plan("Z").notes == []

    def test_it_counts_only_for_that_revision_of_the_element(self):
        scene = Scene("LZ")
        tags(scene, "L", "b")
        scene.plan("Z")
        scene.decide("tags", ["a", "b"])
        scene.decide("tags", ["b"])
        assert [note.detail["element"] for note in scene.plan("Z").notes] == ["a"]

    def test_a_detaching_verb_takes_each_spelling_and_is_destructive(self):
        scene = Scene("LZ", Z={"tags": ["VIP", "vip", "a"]}, L={"tags": ["vip", "a"]})
        scene.set_capability("Z", "tags", removes=True)
        scene.can["Z"] = replace(
            scene.can["Z"],
            verbs=(*scene.can["Z"].verbs, Verb("detach", ("tags",), element="remove")),
        )
        tags(scene, "L", "a", "b")
        calls = scene.plan("Z").calls
        assert [(call.verb, call.body["tags"], call.sent["tags"]) for call in calls] == [
            ("attach", "b", ["VIP", "vip", "a", "b"]),
            ("detach", "VIP", ["vip", "a", "b"]),
            ("detach", "vip", ["a", "b"]),
        ]
        assert [call.destructive for call in calls] == [
            (),
            ("tags: 'vip' removed",),
            ("tags: 'vip' removed",),
        ]

    def test_an_element_without_a_translation_is_put_down_and_the_others_go(self):
        scene = Scene("LH", rules=given_rules(maps=refusing("secret")))
        tags(scene, "H", "a", "secret", "b")
        found = scene.plan("L")
        assert [call.body for call in found.calls] == [{"tags": ["a", "b"]}]
        assert [(note.detail["element"], note.detail["why"]) for note in found.notes] == [
            ("secret", "no secret")
        ]
        assert scene.entry("L", "tags").decided is None
        assert scene.plan("L").notes == []

    def test_a_system_without_any_verb_for_tags(self):
        scene = Scene("LH")
        scene.can["H"] = replace(scene.can["H"], verbs=(Verb("patch", ("status",)),))
        tags(scene, "L", "b")
        found = scene.plan("H")
        assert found.calls == []
        assert sorted(note.detail["element"] for note in found.notes) == ["a", "b"]
        assert scene.plan("H").notes == []


class TestUnreadable:
    """Rule F15: what is not shown is never replaced."""

    def test_no_replacing_write_onto_a_set_that_was_not_shown(self):
        scene = Scene("LP")
        tags(scene, "P")
        tags(scene, "L", "a", "b")
        found = scene.plan("P")
        assert (found.calls, found.notes) == ([], [])
        tags(scene, "P", "a")
        assert scene.calls("P") == [("patch", {"tags": ["a", "b"]})]

    def test_also_when_the_connector_says_that_it_must_not_be_believed(self):
        scene = Scene("LH")
        scene.show("H", **{**FIRST["H"], "tags": Unreadable("no licence")})
        tags(scene, "L", "a", "b")
        assert scene.calls("H") == []

    def test_an_adding_verb_is_tried_once_a_revision_and_nothing_is_taken_away(self):
        scene = Scene("LZ")
        scene.show("Z", **{**FIRST["Z"], "tags": Unreadable("not shown")})
        tags(scene, "L", "b", "c")
        both = [("attach", {"tags": "b"}), ("attach", {"tags": "c"})]
        assert scene.calls("Z") == both
        assert scene.calls("Z") == both  # planning is not trying
        mark_tried(scene.link, "Z", scene.plan("Z").calls[0])
        assert scene.calls("Z") == []
        tags(scene, "L", "b", "c", "d")
        assert scene.calls("Z") == [*both, ("attach", {"tags": "d"})]

    def test_what_certainly_did_nothing_was_no_try(self):
        scene = Scene("LZ")
        scene.show("Z", **{**FIRST["Z"], "tags": Unreadable("not shown")})
        tags(scene, "L", "b")
        (call,) = scene.plan("Z").calls
        mark_tried(scene.link, "Z", call)
        forget_tried(scene.link, "Z", call)
        assert scene.calls("Z") == [("attach", {"tags": "b"})]

    def test_trying_what_can_be_read_marks_nothing(self):
        scene = Scene("LZ")
        tags(scene, "L", "a", "b")
        (call,) = scene.plan("Z").calls
        mark_tried(scene.link, "Z", call)
        assert scene.calls("Z") == [("attach", {"tags": "b"})]


def test_an_element_that_an_admin_passed_over_is_removed():
    scene = Scene("LH")
    scene.link.state["tags"].candidates = {"L": ["a"], "H": ["a"]}
    tags(scene, "H", "a", "odd")
    scene.decide("tags", ["a"])
    assert scene.calls("H") == [("patch", {"tags": ["a"]})]


def test_where_it_cannot_be_removed_the_field_is_left_as_it_is():
    scene = Scene("LZ")
    scene.link.state["tags"].candidates = {"L": ["a"], "Z": ["a"]}
    tags(scene, "Z", "a", "odd")
    scene.decide("tags", ["a"])
    found = scene.plan("Z")
    assert found.calls == []
    assert [note.detail["why"] for note in found.notes] == ["nothing can be removed from tags: odd"]
    assert scene.plan("Z").notes == []


def test_f12_elements_that_a_vendor_made_up_on_create_are_not_removed():
    scene = Scene("L")
    scene.link.sides["H"] = replace(scene.link.sides["L"], connection="H", remote_id="H", fields={})
    shown = seen("H", 9, **{**FIRST["H"], "tags": ["a", "auto"]})
    absorb_created(scene.link, shown, {"subject": "s", "priority": "low"}, scene.rules)
    assert not any("tags" in values for _verb, values in scene.calls("H"))
