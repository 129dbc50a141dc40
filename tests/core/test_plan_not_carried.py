"""What system, mapping or sync do not let through is left alone, recorded once with a reason."""

from dataclasses import replace

from bridge.core.model.capabilities import Support
from bridge.core.model.syncs import FieldPolicy
from tests.core.planning import FIRST, MAPS, Scene, given_rules


def changed_map(connection, name, **changes):
    fields = {**MAPS[connection].fields, name: replace(MAPS[connection].fields[name], **changes)}
    return {**MAPS, connection: replace(MAPS[connection], fields=fields)}


class TestNotCarried:
    def left(self, scene, connection, name):
        """Plan, and return why a field was left alone.

        Checks that it is recorded once, and holds until a revision moves.
        """
        found = scene.plan(connection)
        assert not any(name in call.sent for call in found.calls)
        why = scene.entry(connection, name).decided_why
        assert [note.detail["why"] for note in found.notes if note.field == name] == [why]
        assert {(note.kind, note.connection) for note in found.notes if note.field == name} == {
            ("not carried", connection)
        }
        assert scene.entry(connection, name).decided[name] == scene.link.state[name].rev
        again = scene.plan(connection)
        assert [note for note in again.notes if note.field == name] == []
        return why

    def test_a_value_without_a_translation(self):
        scene = Scene()
        scene.decide("priority", "unheard-of")
        assert self.left(scene, "H", "priority") == "there is no 'unheard-of'"

    def test_it_is_decided_again_when_the_state_moves(self):
        scene = Scene()
        scene.decide("priority", "unheard-of")
        scene.plan("H")
        scene.decide("priority", "high")
        assert scene.calls("H") == [("patch", {"priority": "high"})]

    def test_a_decision_of_what_is_declared_falls_with_the_declaration(self):
        scene = Scene(rules=given_rules(priority=FieldPolicy(to=("L", "P"))))
        scene.decide("priority", "high")
        assert self.left(scene, "H", "priority") == "the sync does not send it to H"
        scene.show("H", **FIRST["H"])
        assert scene.calls("H") == []
        scene.rules = given_rules()
        assert scene.calls("H") == [("patch", {"priority": "high"})]

    def test_an_edit_that_the_owner_ignores_is_not_reviewed(self):
        scene = Scene(rules=given_rules(priority=FieldPolicy("owner", owner="L", revert=False)))
        scene.show("H", **{**FIRST["H"], "priority": "urgent"})
        assert scene.calls("H") == []
        assert not scene.entry("H", "priority").open_to_review

    def test_a_fixed_field(self):
        scene = Scene()
        scene.decide("subject", "other")
        assert self.left(scene, "P", "subject") == "P does not let subject be changed"

    def test_emptying_what_cannot_be_empty(self):
        scene = Scene()
        scene.decide("assignee", None)
        assert self.left(scene, "Z", "assignee") == "assignee cannot be emptied"
        assert scene.calls("H") == [("patch", {"assignee": None})]

    def test_a_status_moves_only_forward(self):
        scene = Scene(
            Z={"status": "completed"},
            L={"status": "closed"},
            H={"status": "closed"},
            P={"status": "resolved"},
        )
        scene.decide("status", "open")
        assert (
            self.left(scene, "Z", "status")
            == "status moves only forward, not from 'completed' to 'ongoing'"
        )

    def test_steps_may_be_skipped_on_the_way_forward(self):
        scene = Scene()
        scene.decide("status", "closed")
        assert scene.calls("Z") == [("complete", {"status": "completed"})]

    def test_a_value_off_the_order_is_not_sent(self):
        scene = Scene("LH")
        scene.set_capability("H", "status", forward=("new", "open", "closed"))
        scene.decide("status", "resolved")
        assert "moves only along new, open, closed" in self.left(scene, "H", "status")

    def test_a_connection_that_the_sync_does_not_send_to(self):
        scene = Scene(rules=given_rules(priority=FieldPolicy(to=("L",))))
        scene.decide("priority", "high")
        assert self.left(scene, "H", "priority") == "the sync does not send it to H"
        assert scene.calls("L") == [("patch", {"priority": "high"})]

    def test_a_mapping_that_writes_only_on_create(self):
        scene = Scene(rules=given_rules(maps=changed_map("H", "priority", on_update=False)))
        scene.decide("priority", "high")
        assert self.left(scene, "H", "priority") == "the mapping of H writes it only on create"

    def test_a_mapping_that_only_reads(self):
        scene = Scene(rules=given_rules(maps=changed_map("H", "priority", write_key=None)))
        scene.decide("priority", "high")
        assert self.left(scene, "H", "priority") == "the mapping of H only reads it"

    def test_no_verb_for_the_target_value(self):
        scene = Scene("LZ")
        verbs = tuple(each for each in scene.can["Z"].verbs if each.name != "complete")
        scene.can["Z"] = replace(scene.can["Z"], verbs=verbs)
        scene.decide("status", "resolved")
        assert (
            self.left(scene, "Z", "status") == "no call of this system sets status to 'completed'"
        )

    def test_a_text_is_cut_to_the_declared_length_and_then_left(self):
        scene = Scene("LH")
        scene.set_capability("H", "subject", max_length=3)
        scene.decide("subject", "hello")
        assert scene.calls("H") == [("patch", {"subject": "hel"})]
        scene.entry("H", "subject").shadow = "hel"
        assert scene.calls("H") == []


class TestProbed:
    def scene(self):
        scene = Scene("LH")
        scene.set_capability("H", "subject", on_update=Support.PROBED)
        scene.decide("subject", "other")
        scene.decide("priority", "high")
        return scene

    def test_an_unproven_key_is_tried_in_a_call_of_its_own(self):
        assert self.scene().calls("H") == [
            ("patch", {"priority": "high"}),
            ("patch", {"subject": "other"}),
        ]

    def test_a_proven_key_goes_with_the_others(self):
        assert self.scene().calls("H", probed={"subject": True}) == [
            ("patch", {"subject": "other", "priority": "high"})
        ]

    def test_a_disproved_key_is_not_carried(self):
        scene = self.scene()
        assert scene.calls("H", probed={"subject": False}) == [("patch", {"priority": "high"})]
        assert scene.entry("H", "subject").decided_why == "this deployment ignores subject"

    def test_a_set_that_is_edited_where_it_is_not_carried_is_decided_again(self):
        scene = Scene("LH")
        scene.set_capability("H", "tags", on_update=Support.PROBED)
        scene.probed = {"tags": False}
        scene.show("L", tags=["a", "b"])
        assert scene.calls("H") == []
        scene.show("H", tags=["a"])
        scene.show("H", tags=["a", "c"])
        (note,) = scene.plan("H").notes
        assert (note.kind, note.detail["why"]) == ("not carried", "this deployment ignores tags")
        assert scene.entry("H", "tags").decided == {"tags": scene.link.state["tags"].rev}
        assert scene.calls("H", probed={"tags": True}) == [("patch", {"tags": ["a", "c", "b"]})]
