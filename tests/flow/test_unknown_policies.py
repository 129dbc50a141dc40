"""Values that no mapping knows, by a connection's `unknown_values`: waiting, left, passed on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.core.model.outcome_codes import Code
from bridge.errors import ConfigError
from bridge.home import shipped_folder
from bridge.ledger import timeline, unread_values
from bridge.operations import why as reasons
from bridge.runs import adoption
from tests.flow.estate import SWITCH_AND_POSTHOG, Estate
from tests.operations.desks import desk_of

FIELDS = "ticket:\n  region: {kind: text}\n"
TABLE = "{path: custom_fields.region, read: {EMEA: emea, null: null}}"


def files(policy="", *, at="helpdesk", other="anonymous_traits.region"):
    settings = (shipped_folder("config") / "bridge.yaml").read_text()
    line = f"  {at}:\n    system:"
    assert line in settings
    declared = f"  {at}:\n    unknown_values: {policy}\n    system:"

    def mapped(name, row):
        text = (shipped_folder("mappings") / f"{name}.yaml").read_text()
        return text.replace("  fields:\n", f"  fields:\n    region: {row}\n", 1)

    fields = (shipped_folder("mappings") / "fields.yaml").read_text()
    return {
        "config/bridge.yaml": settings.replace(line, declared) if policy else settings,
        "mappings/fields.yaml": fields.replace("ticket:\n", FIELDS),
        "mappings/switch.yaml": mapped("switch", TABLE),
        "mappings/posthog.yaml": mapped("posthog", other),
        "mappings/syncs.yaml": SWITCH_AND_POSTHOG,
    }


@pytest.fixture
def make(tmp_path):
    return lambda *words, **more: Estate(tmp_path, files=files(*words, **more))


def begun(estate, **fields):
    given = {"subject": "Help", "customer_email": "ann@customer.example", **fields}
    made = estate.apps["helpdesk"].create(given)
    estate.hint("helpdesk", made["id"])
    return estate.refs("helpdesk", made["id"])


def edit(estate, name, refs, fields):
    estate.apps[name].edit(refs[name], fields)
    estate.clock.advance(5)
    estate.hint(name, refs[name])


def at(estate, name, refs):
    return estate.apps[name].store.get(refs[name])


def unread(estate):
    with estate.ledger.read() as tx:
        return [(each.field, each.value) for each in unread_values.unread_values(tx)]


def said(estate, refs, field, name="helpdesk"):
    return reasons.explain(desk_of(estate), f"helpdesk:{refs['helpdesk']}", field).sides[name]


def force(estate, refs, field, value):
    """Let a record show a word that the sandbox itself would refuse."""
    row = estate.apps["helpdesk"].store.get(refs["helpdesk"])
    row[field] = value
    estate.apps["helpdesk"].edit(refs["helpdesk"], {"priority": "high"})
    estate.clock.advance(5)
    estate.hint("helpdesk", refs["helpdesk"])


def put_in_force(estate):
    context = replace(estate.context, revision=estate.config.revision)
    adoption.adopt(estate.ledger, context, "start")


@pytest.mark.parametrize(
    ("policy", "code", "waits"),
    [
        ("", Code.READ_VALUE, [("status", "archived")]),
        ("quarantine", Code.READ_VALUE, [("status", "archived")]),
        ("ignore", Code.READ_IGNORED, []),
        ("{status: ignore, region: pass}", Code.READ_IGNORED, []),
        ("{'*': ignore, status: quarantine}", Code.READ_VALUE, [("status", "archived")]),
    ],
)
def test_a_field_is_left_alone_and_the_rest_of_the_ticket_goes_on(make, policy, code, waits):
    estate = make(policy)
    refs = begun(estate)
    before = at(estate, "product", refs)["status"]
    force(estate, refs, "status", "archived")
    assert at(estate, "product", refs)["status"] == before
    assert at(estate, "product", refs)["priority"] == "high"  # the rest went on
    assert unread(estate) == waits
    found = said(estate, refs, "status")
    assert found.code == code
    assert found.unknown == ("ignore" if code is Code.READ_IGNORED else "quarantine")
    # An edit elsewhere is not written over what nobody understands, and its rest arrives.
    edit(estate, "product", refs, {"status": "pending", "priority": "low"})
    assert at(estate, "helpdesk", refs)["status"] == "archived"
    assert at(estate, "helpdesk", refs)["priority"] == "low"
    # As soon as it can be read again, it travels like any other edit.
    edit(estate, "helpdesk", refs, {"status": "resolved"})
    assert at(estate, "product", refs)["status"] == "resolved"
    assert said(estate, refs, "status").unknown == ""


def test_text_that_no_row_knows_passes_as_it_is_both_ways(make):
    estate = make("{region: pass}")
    refs = begun(estate, custom_fields={"region": "EMEA"})
    assert at(estate, "product", refs)["anonymous_traits"]["region"] == "emea"
    edit(estate, "helpdesk", refs, {"custom_fields": {"region": "Southern Cross"}})
    traits = at(estate, "product", refs)["anonymous_traits"]
    assert traits["region"] == "Southern Cross"
    assert said(estate, refs, "region").unknown == "pass"
    assert said(estate, refs, "region").because == "as agreed"
    edit(estate, "product", refs, {"anonymous_traits": {**traits, "region": "Moon"}})
    assert at(estate, "helpdesk", refs)["custom_fields"] == {"region": "Moon"}
    edit(estate, "product", refs, {"anonymous_traits": {**traits, "region": "emea"}})
    assert at(estate, "helpdesk", refs)["custom_fields"] == {"region": "EMEA"}
    assert said(estate, refs, "region").unknown == ""
    writes = [len(estate.journal(name, "write")) for name in refs]
    estate.reconcile("poll", "full")
    assert [len(estate.journal(name, "write")) for name in refs] == writes


def test_text_that_would_come_back_as_another_one_is_never_passed_on(make):
    estate = make("{region: pass}")
    refs = begun(estate, custom_fields={"region": "EMEA"})
    traits = at(estate, "product", refs)["anonymous_traits"]
    # Written as it is, `EMEA` would read as emea: another value than somebody chose.
    edit(estate, "product", refs, {"anonymous_traits": {**traits, "region": "EMEA"}})
    assert at(estate, "helpdesk", refs)["custom_fields"] == {"region": "EMEA"}
    assert at(estate, "product", refs)["anonymous_traits"]["region"] == "EMEA"
    assert said(estate, refs, "region").code == Code.MAP_VALUE


@pytest.mark.parametrize("value", [17, True, ["a"], {"a": 1}])
def test_what_is_no_text_never_passes(make, value):
    estate = make("{region: pass}")
    refs = begun(estate, custom_fields={"region": "EMEA"})
    edit(estate, "helpdesk", refs, {"custom_fields": {"region": value}})
    assert at(estate, "product", refs)["anonymous_traits"]["region"] == "emea"
    assert said(estate, refs, "region").unknown == "quarantine"


def test_another_policy_is_taken_up_by_tickets_that_wait(make):
    estate = make()
    refs = begun(estate, custom_fields={"region": "Southern Cross"})
    force(estate, refs, "status", "archived")
    assert unread(estate) != []
    writes = len(estate.journal("product", "write"))
    put_in_force(estate)
    estate.start(files("{status: ignore, region: pass}"))
    put_in_force(estate)
    estate.settle()
    assert unread(estate) == []
    assert at(estate, "product", refs)["anonymous_traits"]["region"] == "Southern Cross"
    assert said(estate, refs, "status").unknown == "ignore"
    (link,) = estate.links()
    with estate.ledger.read() as tx:
        assert [line for line in timeline.timeline(tx, link.id) if line.kind == "conflict"] == []
    assert len(estate.journal("product", "write")) == writes + 1


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        (
            "pass",
            (
                "connections.helpdesk.unknown_values.*: status, priority, assignee, tags, … cannot "
                "take any text; name the fields that may, such as `{region: pass}`, or say "
                "quarantine or ignore"
            ),
        ),
        (
            "{status: pass}",
            (
                "connections.helpdesk.unknown_values.status: a choice takes no value that it does "
                "not know (new, open, pending, on_hold, resolved, closed, null); "
                "allowed quarantine, ignore"
            ),
        ),
        ("{colour: ignore}", "unknown_values.colour: the mapping has no such field; allowed regi"),
        ("{status: leave}", "unknown_values: is {'status': 'leave'}; allowed quarantine, ignore,"),
        ("drop", "unknown_values: is 'drop'; allowed quarantine, ignore, pass, or a mapping of "),
        ("{}", "unknown_values: is {}; allowed quarantine"),
    ],
)
def test_what_cannot_be_is_refused_with_the_line_that_says_it(make, policy, problem):
    with pytest.raises(ConfigError) as refused:
        make(policy)
    (line,) = refused.value.problems
    assert problem in line
    text = files(policy)["config/bridge.yaml"].splitlines()
    number = next(n for n, row in enumerate(text, 1) if "unknown_values:" in row)
    assert line.startswith(f"config/bridge.yaml:{number}: ")
