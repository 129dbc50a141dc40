"""Plans of new records: when a counterpart is made, with what, and when not."""

from dataclasses import replace

import pytest

from bridge.core.mapping.agent_table import AgentTable
from bridge.core.mapping.compiler import MappingError, compile_entity, compile_field
from bridge.core.merge.case import Rules
from bridge.core.model.capabilities import Support, creating
from bridge.core.model.entities import TICKET
from bridge.core.model.state import Link
from bridge.core.model.syncs import FieldPolicy
from bridge.core.model.values import NotCarried
from tests.core.builders import at
from tests.core.planning import MAPS, Scene, given_rules


def planned(scene, connection="H", **more):
    found = scene.plan(connection, **more)
    assert found.calls == []
    return found.create


def test_it_carries_what_the_state_knows_and_the_system_takes_on_create():
    scene = Scene("L", L={"tags": ["VIP", "a"], "assignee": None})
    made = planned(scene)
    assert made.values == {"subject": "s", "priority": "low", "tags": ["a", "vip"]}
    assert made.sent == made.values
    assert made.revs == {name: scene.link.state[name].rev for name in made.values}
    assert made.missing == ()


def test_it_says_which_required_keys_have_no_value():
    scene = Scene("L", L={"subject": None})
    assert planned(scene).missing == ("subject",)


def test_f18_a_required_field_in_conflict_has_no_value():
    scene = Scene("L")
    scene.link.state["subject"].candidates = {"L": "s"}
    assert planned(scene).missing == ("subject",)
    assert "subject" not in planned(scene).values


def test_what_it_cannot_take_is_left_out():
    scene = Scene("L", L={"priority": "unheard-of"})
    assert planned(scene).values.keys() == {"subject", "tags", "assignee"}


def test_elements_that_it_cannot_take_are_left_out():
    field_map = replace(
        MAPS["H"].fields["tags"], write=lambda value: NotCarried("no") if value == "a" else value
    )
    maps = {**MAPS, "H": replace(MAPS["H"], fields={**MAPS["H"].fields, "tags": field_map})}
    scene = Scene("L", rules=given_rules(maps=maps), L={"tags": ["a", "b"]})
    assert planned(scene).values["tags"] == ["b"]


def test_fields_that_the_sync_does_not_send_there_are_left_out():
    scene = Scene("L", rules=given_rules(priority=FieldPolicy(to=("P",))))
    assert "priority" not in planned(scene).values
    assert "priority" in planned(scene, "P").values


def test_fields_that_the_mapping_does_not_write_on_create_are_left_out():
    field_map = replace(MAPS["H"].fields["priority"], on_create=False)
    maps = {**MAPS, "H": replace(MAPS["H"], fields={**MAPS["H"].fields, "priority": field_map})}
    assert "priority" not in planned(Scene("L", rules=given_rules(maps=maps))).values


def test_a_text_is_cut_to_the_declared_length():
    scene = Scene("L", L={"subject": "hello"})
    scene.set_capability("H", "subject", max_length=3)
    assert planned(scene).values["subject"] == "hel"


@pytest.mark.parametrize(
    "side", ["H", "tombstone", "intent", "paused", "no side", "all gone", "missing", "out of scope"]
)
def test_f21_no_counterpart_is_made_while_anything_forbids_it(side):
    scene = Scene("LH" if side in {"H", "tombstone"} else "L")
    if side == "tombstone":
        scene.link.sides["H"].tombstone = True
    elif side == "intent":
        scene.link.intents["H"] = "marker"
    elif side == "paused":
        scene.link.paused = True
    elif side == "no side":
        scene.link = Link(id="2", sync="tickets", entity="ticket")
    elif side == "all gone":
        scene.link.sides["L"].tombstone = True
    elif side == "missing":
        scene.link.sides["L"].missing_since = at(3)
    elif side == "out of scope":
        scene.link.sides["L"].in_scope = False
    assert planned(scene) is None


@pytest.mark.parametrize("where", ["member", "system"])
@pytest.mark.parametrize(
    ("support", "probed", "expected"),
    [
        (Support.YES, {}, True),
        (Support.YES, {creating("ticket"): False}, False),
        (Support.YES, {creating("message"): False}, True),
        (Support.PROBED, {}, True),
        (Support.PROBED, {creating("ticket"): True}, True),
        (Support.PROBED, {creating("ticket"): False}, False),
        (Support.NO, {creating("ticket"): True}, False),
    ],
)
def test_both_the_sync_and_the_system_must_allow_it(where, support, probed, expected):
    scene = Scene("L")
    if where == "member":
        members = {
            **scene.rules.sync.members,
            "H": replace(scene.rules.sync.members["H"], create=support),
        }
        scene.rules = Rules(
            replace(scene.rules.sync, members=members), scene.rules.maps, scene.rules.writable
        )
    else:
        scene.can["H"] = replace(scene.can["H"], creates=support)
    assert (planned(scene, probed=probed) is not None) is expected


def test_none_is_made_before_anything_was_read():
    scene = Scene("L")
    scene.link.state = {}
    assert planned(scene).missing == ("subject",)
    assert planned(scene, "P") is None


def from_template(pattern, **able):
    compiled = compile_field(
        TICKET["subject"], {"path": "subject", "create_from": pattern}, AgentTable()
    )
    maps = {
        **MAPS, "H": replace(MAPS["H"], fields={**MAPS["H"].fields, "subject": compiled.map})
    }  # fmt: skip
    return given_rules(maps=maps, **able)


@pytest.mark.parametrize(
    ("subject", "pattern", "sent"),
    [
        (None, "About {tags} ({priority})", "About a, vip (low)"),
        (None, "About {assignee}", None),
        (None, "{assignee}{tags}", "a, vip"),
        ("s", "About {tags}", "s"),
    ],
)
def test_a_field_without_a_value_is_made_of_others_where_the_mapping_says_so(
    subject, pattern, sent
):
    given = {"subject": subject, "tags": ["VIP", "a"], "assignee": None}
    scene = Scene("L", rules=from_template(pattern), L=given)
    made = planned(scene)
    assert made.values.get("subject") == sent
    assert made.missing == (() if sent else ("subject",))
    assert scene.link.state["subject"].value == subject


def test_f18_what_is_in_conflict_makes_no_text():
    scene = Scene("L", rules=from_template("About {priority}"), L={"subject": None})
    scene.link.state["priority"].candidates = {"L": "low"}
    assert planned(scene).missing == ("subject",)
    scene.link.state["subject"].candidates = {"L": "s"}
    scene.link.state["priority"].candidates = None
    assert planned(scene).missing == ("subject",)


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ({"create_from": "text"}, "is 'text'; allowed text with the names of our fields"),
        ({"create_from": 7}, "is 7; allowed text with the names of our fields"),
        ({"create_from": "{subject}", "only_on": "update"}, "means nothing here: only updates"),
        ({"create_from": "{sbject}"}, "names sbject, which no ticket has; allowed subject, "),
    ],
)
def test_what_is_no_template(row, what):
    declared = {"id": "id", "fields": {"description": {"path": "text", **row}}}
    with pytest.raises(MappingError) as caught:
        compile_entity("ticket", declared, AgentTable())
    assert any(said.startswith(what) for _where, said in caught.value.problems)
