"""Plans: what is written, what is left alone, and what is noted about it."""

from copy import deepcopy
from dataclasses import replace

import pytest

from bridge.core.merge.case import Rules
from bridge.core.merge.lifecycle import record_missing
from bridge.core.model.capabilities import Verb
from bridge.core.model.state import Attempt
from bridge.core.model.syncs import FieldPolicy
from bridge.core.model.values import ABSENT, Unreadable
from tests.core.builders import at
from tests.core.planning import FIRST, MAPS, Scene, given_rules


def without(connection, name):
    """Maps in which a connection does not have a field."""
    fields = {key: each for key, each in MAPS[connection].fields.items() if key != name}
    return {**MAPS, connection: replace(MAPS[connection], fields=fields)}


class TestDue:
    def test_sides_that_agree_need_nothing(self):
        scene = Scene()
        assert [scene.calls(name) for name in "LHPZ"] == [[], [], [], []]

    def test_one_call_carries_all_that_differs_and_only_that(self):
        scene = Scene()
        scene.show("L", **{**FIRST["L"], "status": "open", "priority": "high"})
        (call,) = scene.plan("H").calls
        assert (call.verb, call.body) == ("patch", {"status": "open", "priority": "high"})
        assert call.sent == {"status": "open", "priority": "high"}
        assert call.before == {"status": "new", "priority": "low"}
        assert call.state_values == {"status": "open", "priority": "high"}
        assert call.revs == {name: scene.link.state[name].rev for name in ("status", "priority")}
        assert call.destructive == ()

    def test_the_side_that_made_the_change_needs_nothing(self):
        scene = Scene()
        scene.show("L", **{**FIRST["L"], "status": "open"})
        assert scene.calls("L") == []

    def test_f05_planning_never_moves_a_level(self):
        scene = Scene()
        scene.decide("status", "new")  # everybody agrees and is behind
        scene.decide("priority", "high")
        before = {
            name: {key: each.level for key, each in side.fields.items()}
            for name, side in scene.link.sides.items()
        }
        state = deepcopy(scene.link.state)
        for name in "LHPZ":
            scene.plan(name)
        after = {
            name: {key: each.level for key, each in side.fields.items()}
            for name, side in scene.link.sides.items()
        }
        assert after == before
        assert scene.link.state == state

    def test_f09_an_equal_observation_still_leaves_the_other_side_due(self):
        scene = Scene()
        scene.show("L", **{**FIRST["L"], "status": "open"})
        scene.show("L", **{**FIRST["L"], "status": "open"})
        assert scene.calls("H") == [("patch", {"status": "open"})]

    def test_what_reads_as_the_state_is_not_flattened(self):
        scene = Scene(
            H={"status": "in_progress"},
            L={"status": "open"},
            P={"status": "open"},
            Z={"status": "ongoing"},
        )
        scene.decide("status", "open")
        assert scene.calls("H") == []

    def test_f16_what_the_state_writes_as_the_side_is_left_alone(self):
        scene = Scene(
            H={"status": "pending"},
            L={"status": "pending"},
            P={"status": "pending"},
            Z={"status": "ongoing"},
        )
        scene.decide("status", "on_hold")
        assert scene.calls("H") == []
        assert scene.calls("Z") == []
        assert scene.calls("P") == [("patch", {"status": "on_hold"})]

    def test_f13_the_remembered_answer_is_not_written_again(self):
        scene = Scene("LH")
        scene.decide("subject", "Bill.")
        entry = scene.entry("H", "subject")
        entry.shadow, entry.remembered_answer = "Bill", ("Bill.", "Bill")
        assert scene.calls("H") == []
        scene.decide("subject", "Bills.")
        assert scene.calls("H") == [("patch", {"subject": "Bills."})]

    def test_f10_a_field_never_read_there_waits_for_its_first_read(self):
        scene = Scene("LH")
        scene.decide("priority", "urgent")
        del scene.link.sides["H"].fields["priority"]
        assert scene.calls("H") == []

    def test_f19_a_shadow_of_an_older_mapping_is_no_base(self):
        scene = Scene("LH")
        scene.decide("priority", "urgent")
        scene.entry("H", "priority").map_rev = "older"
        assert scene.calls("H") == []

    def test_a_state_never_set_writes_nothing(self):
        scene = Scene("LH", L={"priority": None}, H={"priority": None})
        assert scene.link.state["priority"].rev == 0
        assert scene.calls("H") == []

    def test_f18_an_open_conflict_freezes_the_field_and_no_other(self):
        scene = Scene()
        scene.decide("status", "open")
        scene.decide("priority", "high")
        scene.link.state["status"].candidates = {"L": "open", "H": "pending"}
        assert scene.calls("H") == [("patch", {"priority": "high"})]

    def test_an_unreadable_value_is_not_written_over(self):
        scene = Scene()
        scene.decide("status", "open")
        scene.show("H", **{**FIRST["H"], "status": "snoozed"})
        assert scene.entry("H", "status").unreadable
        assert scene.calls("H") == []


class TestWholeLink:
    @pytest.mark.parametrize("brake", ["paused", "tombstone", "missing", "out of scope", "attempt"])
    def test_a_link_or_side_that_is_held_up_gets_no_write(self, brake):
        scene = Scene()
        scene.decide("status", "open")
        assert scene.calls("H")
        side = scene.link.sides["H"]
        if brake == "paused":
            scene.link.paused = True
        elif brake == "tombstone":
            side.tombstone = True
        elif brake == "missing":
            side.missing_since = at(5)
        elif brake == "out of scope":
            side.in_scope = False
        else:
            side.attempt = Attempt("a", "patch", {"priority": "low"}, {}, {}, {}, at(1))
        assert scene.calls("H") == []
        assert scene.plan("H").create is None

    def test_f15_an_attempt_of_which_only_the_unreadable_is_left_stops_no_other_field(self):
        scene = Scene()
        scene.decide("status", "open")
        scene.decide("tags", ["b"])
        side = scene.link.sides["P"]
        scene.show("P", **{**FIRST["P"], "tags": []})
        side.attempt = Attempt(
            "a", "patch", {"tags": []}, {"tags": ["a"]}, {"tags": ()}, {"tags": 1}, at(1)
        )
        assert scene.calls("P") == []
        assert scene.calls("P", leftover_only=True) == [("patch", {"status": "open"})]
        side.attempt.sent["priority"] = "low"
        assert scene.calls("P", leftover_only=True) == []

    def test_a_connection_outside_the_sync_gets_no_write(self):
        scene = Scene()
        rules = scene.rules
        members = {name: member for name, member in rules.sync.members.items() if name != "H"}
        scene.decide("status", "open")
        scene.rules = Rules(replace(rules.sync, members=members), rules.maps, rules.writable)
        assert scene.calls("H") == []


class TestVerbs:
    """Rule F20: a call is the unit; whatever it sets is on its list."""

    def test_f20_takeover_takes_the_states_assignee_and_covers_it(self):
        scene = Scene()
        scene.show("L", **{**FIRST["L"], "status": "open", "assignee": "bob"})
        (call,) = scene.plan("Z").calls
        assert (call.verb, call.body) == ("takeover", {"status": "ongoing", "assignee": "bob"})
        assert call.sent == {"status": "ongoing", "assignee": "bob"}
        assert call.before == {"status": "pending", "assignee": "ann"}
        assert call.state_values == {"status": "open", "assignee": "bob"}
        assert call.revs == {name: scene.link.state[name].rev for name in ("status", "assignee")}

    def test_f20_takeover_keeps_the_present_assignee_when_the_state_has_none(self):
        scene = Scene()
        scene.decide("assignee", None)
        scene.decide("status", "open")
        (call,) = scene.plan("Z").calls
        assert call.body == {"status": "ongoing", "assignee": "ann"}
        assert call.sent == {"status": "ongoing", "assignee": "ann"}
        assert call.state_values == {"status": "open"}  # "ann" is no answer to writing nobody
        assert call.revs["assignee"] == scene.entry("Z", "assignee").level

    def test_f20_takeover_falls_back_to_the_service_user(self):
        scene = Scene(**{name: {"assignee": None} for name in "LHPZ"})
        scene.decide("status", "open")
        (call,) = scene.plan("Z").calls
        assert call.body == {"status": "ongoing", "assignee": "service@bridge.example"}
        assert call.sent == call.body
        assert call.before == {"status": "pending", "assignee": None}

    def test_f18_a_need_that_is_in_conflict_makes_the_call_wait(self):
        scene = Scene()
        scene.decide("status", "open")
        scene.link.state["assignee"].candidates = {"L": "bob", "H": "cat"}
        found = scene.plan("Z")
        assert (found.calls, found.notes) == ([], [])
        assert scene.entry("Z", "status").decided is None
        scene.link.state["assignee"].candidates = None
        assert scene.calls("Z") == [("takeover", {"status": "ongoing", "assignee": "ann"})]

    def test_f20_a_need_without_a_value_is_keyed_by_all_revisions_used(self):
        scene = Scene(**{name: {"assignee": None} for name in "LHPZ"})
        verbs = tuple(replace(each, fallback={}) for each in scene.can["Z"].verbs)
        scene.can["Z"] = replace(scene.can["Z"], verbs=verbs)
        scene.decide("status", "open")
        assert scene.calls("Z") == []
        assert scene.entry("Z", "status").decided == {
            "status": scene.link.state["status"].rev,
            "assignee": 0,
        }
        scene.decide("assignee", "bob")
        assert scene.calls("Z") == [("takeover", {"status": "ongoing", "assignee": "bob"})]

    def test_f20_a_need_that_gets_its_value_makes_due_what_was_level_without_it(self):
        scene = Scene(**{name: {"assignee": None} for name in "LHPZ"})
        verbs = tuple(replace(each, fallback={}) for each in scene.can["Z"].verbs)
        scene.can["Z"] = replace(scene.can["Z"], verbs=verbs)
        scene.decide("status", "open")
        assert scene.calls("Z") == []
        scene.show("Z", **{**FIRST["Z"], "assignee": None})  # read as it is left alone: level
        scene.decide("assignee", "bob")
        assert scene.calls("Z") == [("takeover", {"status": "ongoing", "assignee": "bob"})]

    def test_f20_a_need_that_no_field_maps_takes_the_declared_value(self):
        scene = Scene("LZ", rules=given_rules(maps=without("Z", "assignee")))
        scene.decide("status", "open")
        (call,) = scene.plan("Z").calls
        assert call.body == {"status": "ongoing", "assignee": "service@bridge.example"}
        assert call.sent == {"status": "ongoing"}

    def test_f20_a_need_without_field_and_value_is_never_met(self):
        scene = Scene("LZ", rules=given_rules(maps=without("Z", "assignee")))
        verbs = tuple(replace(each, fallback={}) for each in scene.can["Z"].verbs)
        scene.can["Z"] = replace(scene.can["Z"], verbs=verbs)
        scene.decide("status", "open")
        assert scene.calls("Z") == []
        assert (
            scene.entry("Z", "status").decided_why
            == "takeover needs assignee, and nothing gives it a value"
        )

    def test_f20_a_need_is_not_filled_with_what_the_sync_does_not_send_there(self):
        scene = Scene(rules=given_rules(assignee=FieldPolicy(to=("H",))))
        scene.decide("assignee", "bob")
        scene.decide("status", "open")
        assert scene.calls("Z") == [("takeover", {"status": "ongoing", "assignee": "ann"})]

    def test_f20_a_need_is_not_filled_with_what_cannot_be_read(self):
        scene = Scene("LZ")
        scene.decide("assignee", None)
        scene.decide("status", "open")
        scene.show("Z", **{**FIRST["Z"], "assignee": Unreadable("hidden")})
        assert scene.calls("Z") == [
            ("takeover", {"status": "ongoing", "assignee": "service@bridge.example"})
        ]

    def test_f20_an_assignee_alone_is_assigned(self):
        scene = Scene()
        scene.decide("assignee", "bob")
        assert scene.calls("Z") == [("assign", {"assignee": "bob"})]

    def test_f20_every_field_of_two_verbs_gets_its_call(self):
        scene = Scene("LZ")
        scene.decide("assignee", "bob")
        scene.decide("status", "closed")
        assert scene.calls("Z") == [
            ("complete", {"status": "completed"}),
            ("assign", {"assignee": "bob"}),
        ]

    def test_f20_the_order_of_declaration_does_not_assign_twice(self):
        scene = Scene("LZ")
        assign, rest = Verb("assign", ("assignee",)), scene.can["Z"].verbs
        scene.can["Z"] = replace(
            scene.can["Z"], verbs=(assign, *(each for each in rest if each.name != "assign"))
        )
        scene.decide("assignee", "bob")
        scene.decide("status", "open")
        assert [verb for verb, _values in scene.calls("Z")] == ["takeover"]


class TestDestructive:
    def test_a_value_emptied(self):
        scene = Scene()
        scene.decide("assignee", None)
        (call,) = scene.plan("H").calls
        assert call.destructive == ("assignee: emptied, was 'ann'",)

    def test_f21_closed_because_of_a_deletion(self):
        scene = Scene()
        scene.rules = Rules(
            replace(scene.rules.sync, delete="close"), scene.rules.maps, scene.rules.writable
        )
        for seconds in (10, 20):
            record_missing(scene.link, "L", at(seconds), 2.0, scene.rules)
        (call,) = scene.plan("H").calls
        assert call.body == {"status": "closed"}
        assert call.destructive == ("status: closed, because L deleted its record",)

    def test_closed_by_a_human_is_an_ordinary_change(self):
        scene = Scene()
        scene.show("L", **{**FIRST["L"], "status": "closed"})
        (call,) = scene.plan("H").calls
        assert call.destructive == ()

    def test_what_may_be_held_comes_last(self):
        scene = Scene("LZ")
        scene.set_capability("Z", "assignee", clears=True)
        scene.decide("assignee", None)
        scene.decide("status", "closed")
        assert [verb for verb, _values in scene.calls("Z")] == ["complete", "assign"]


def test_a_field_that_a_record_does_not_show_is_not_written_over():
    scene = Scene("LH")
    scene.decide("priority", "high")
    scene.show("H", **{**FIRST["H"], "priority": ABSENT})
    assert scene.calls("H") == []
