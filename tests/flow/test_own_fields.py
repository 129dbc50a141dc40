"""A field of one's own between Switch and PostHog, with the whole bridge between them."""

from __future__ import annotations

import re

import pytest

from bridge.engine.inline import InlineExecutor
from bridge.errors import NotPossible
from bridge.home import shipped_folder
from bridge.ledger import conflict_log, erasure, probes, timeline
from bridge.operations import conflicts
from bridge.operations import why as reasons
from bridge.preview.apply import apply_plan
from bridge.preview.dry_run import preview
from bridge.runs import adoption, reconcile, undo
from tests.flow.estate import SWITCH_AND_POSTHOG, Estate
from tests.flow.world import FreeBudget
from tests.operations.desks import desk_of

FILES = {"mappings/syncs.yaml": SWITCH_AND_POSTHOG}
ANN = "ann@customer.example"


@pytest.fixture
def make(tmp_path):
    def made(files=None, **options):
        return Estate(tmp_path, files=FILES | (files or {}), options=options)

    return made


def begun(estate, **fields):
    """A ticket that began at the help desk and is known to both; give its ids."""
    made = estate.apps["helpdesk"].create({"subject": "Help", "customer_email": ANN, **fields})
    estate.hint("helpdesk", made["id"])
    return estate.refs("helpdesk", made["id"])


def edit(estate, name, refs, fields):
    estate.apps[name].edit(refs[name], fields)
    estate.clock.advance(5)
    estate.hint(name, refs[name])


def helpdesk_team(estate, refs):
    return estate.apps["helpdesk"].store.get(refs["helpdesk"])["custom_fields"].get("team")


def product_traits(estate, refs):
    return estate.apps["product"].store.get(refs["product"])["anonymous_traits"]


def product_team(estate, refs):
    return product_traits(estate, refs).get("support_team")


def trait(estate, refs, value):
    """Somebody sets the team among a ticket's traits, and leaves the others as they are."""
    return {"anonymous_traits": {**product_traits(estate, refs), "support_team": value}}


def lines(estate, kind):
    (link,) = estate.links()
    with estate.ledger.read() as tx:
        return [line for line in timeline.timeline(tx, link.id) if line.kind == kind]


@pytest.mark.parametrize("patched", [True, "merge"])
def test_an_edit_on_either_side_shows_on_the_other_and_all_else_there_stays(make, patched):
    estate = make(helpdesk={"patch_custom_fields": patched})
    refs = begun(estate, custom_fields={"team": "Billing", "order": 17})
    assert product_team(estate, refs) == "billing"
    marker = product_traits(estate, refs)["bridge_marker"]
    edit(estate, "helpdesk", refs, {"custom_fields": {"team": "Infrastructure"}})
    assert product_team(estate, refs) == "infra"
    assert product_traits(estate, refs)["email"] == ANN
    assert product_traits(estate, refs)["bridge_marker"] == marker
    edit(estate, "product", refs, trait(estate, refs, "product"))
    kept = estate.apps["helpdesk"].store.get(refs["helpdesk"])["custom_fields"]
    assert kept == {"team": "Product", "order": 17}
    writes = sum(len(estate.journal(name, "write")) for name in refs)
    estate.reconcile("poll", "full")
    assert sum(len(estate.journal(name, "write")) for name in refs) == writes


def test_a_ticket_that_is_made_where_no_create_takes_the_field_gets_it_afterwards(make):
    estate = make()
    asked = {"anonymous_traits": {"email": ANN, "support_team": "infra"}, "email_subject": "Help"}
    ticket = estate.apps["product"].create(asked)["id"]
    estate.hint("product", ticket)
    refs = estate.refs("product", ticket)
    assert helpdesk_team(estate, refs) == "Infrastructure"
    with estate.ledger.read() as tx:
        assert probes.findings(tx, "helpdesk")["custom_fields.team"] is True


def test_a_ticket_without_the_field_is_no_conflict_and_gets_it(make):
    estate = make()
    refs = begun(estate)
    assert "support_team" not in product_traits(estate, refs)
    edit(estate, "product", refs, trait(estate, refs, "billing"))
    assert helpdesk_team(estate, refs) == "Billing"
    edit(estate, "helpdesk", refs, {"custom_fields": {"team": None}})
    assert product_team(estate, refs) is None
    assert lines(estate, "conflict") == []


def test_edits_on_both_sides_are_settled_by_time_and_recorded(make):
    estate = make()
    refs = begun(estate, custom_fields={"team": "Billing"})
    estate.apps["product"].edit(refs["product"], trait(estate, refs, "product"))
    estate.clock.advance(60)
    estate.apps["helpdesk"].edit(refs["helpdesk"], {"custom_fields": {"team": "Infrastructure"}})
    estate.clock.advance(5)
    for name in refs:
        estate.hint(name, refs[name])
    assert (helpdesk_team(estate, refs), product_team(estate, refs)) == ("Infrastructure", "infra")
    with estate.ledger.read() as tx:
        (row,) = [row for row in conflict_log.export(tx) if row["field"] == "team"]
    assert {row["detail"][who]["value"] for who in ("mine", "theirs")} == {"product", "infra"}


def test_an_edit_of_which_no_webhook_tells_is_found_by_the_next_poll(make):
    """Rows of Switch's listings have no custom fields, and PostHog tells of no trait."""
    estate = make()
    refs = begun(estate, custom_fields={"team": "Billing"})
    estate.clock.advance(60)
    estate.reconcile("full")
    estate.apps["helpdesk"].edit(refs["helpdesk"], {"custom_fields": {"team": "Product"}})
    estate.clock.advance(5)
    estate.reconcile("poll")
    assert product_team(estate, refs) == "product"
    estate.apps["product"].edit(refs["product"], trait(estate, refs, "infra"))
    estate.clock.advance(5)
    estate.reconcile("poll")
    assert helpdesk_team(estate, refs) == "Infrastructure"
    # What has not changed since is not looked at again.
    estate.clock.advance(600)
    estate.reconcile("full")
    reads = looks_at(estate, refs)
    estate.clock.advance(600)
    estate.reconcile("full")
    assert looks_at(estate, refs) == reads


def looks_at(estate, refs):
    return len([r for r in estate.journal("helpdesk", "read") if r.id == refs["helpdesk"]])


@pytest.mark.parametrize("fate", ["ignore", "refuse"])
def test_where_custom_fields_cannot_be_written_that_is_found_out_once(make, fate):
    estate = make(helpdesk={"patch_custom_fields": fate})
    several = [begun(estate, subject=f"Help {number}") for number in range(3)]
    for refs in several:
        edit(estate, "product", refs, trait(estate, refs, "billing"))
        assert helpdesk_team(estate, refs) is None
    with estate.ledger.read() as tx:
        assert probes.findings(tx, "helpdesk")["custom_fields.team"] is False
    tried = [
        row for row in estate.journal("helpdesk", "call", "write") if "custom_fields" in row.sent
    ]
    assert len(tried) <= 1
    assert estate.parked() == []
    # Reading goes on, and so does everything else.
    edit(
        estate, "helpdesk", several[0], {"custom_fields": {"team": "Product"}, "status": "pending"}
    )
    assert product_team(estate, several[0]) == "product"


SHIPPED = {
    f"mappings/{name}.yaml": (shipped_folder("mappings") / f"{name}.yaml").read_text()
    for name in ("fields", "switch", "posthog")
}
UNDECLARED = {
    "mappings/fields.yaml": "ticket: {}\n",
    "mappings/switch.yaml": re.sub(
        r"    team:[^\n]*\n      path:.*\n      read:.*\n", "", SHIPPED["mappings/switch.yaml"]
    ),
    "mappings/posthog.yaml": re.sub(r"    team: anon.*\n", "", SHIPPED["mappings/posthog.yaml"]),
}


def test_where_the_declaration_goes_nothing_is_lost_and_nothing_travels(make):
    estate = make()
    refs = begun(estate, custom_fields={"team": "Billing"})
    adoption.adopt(estate.ledger, estate.context, "somebody")
    estate.start(UNDECLARED)
    assert "team" not in estate.context.maps["product"]["ticket"].fields
    with estate.ledger.read() as tx:
        said = adoption.compare(tx, estate.context, adoption.count_known(tx))
    assert any("team of a ticket is declared no more" in each.text for each in said)
    assert not any(each.doubtful for each in said)
    estate.apps["helpdesk"].edit(refs["helpdesk"], {"custom_fields": {"team": "Product"}})
    estate.clock.advance(60)
    estate.reconcile("poll", "full")
    assert product_team(estate, refs) == "billing"
    (link,) = estate.links()
    assert link.state["team"].value == "billing"
    estate.start(SHIPPED)
    estate.reconcile("full")
    assert product_team(estate, refs) == "product"
    assert helpdesk_team(estate, refs) == "Product"


def test_what_no_file_declares_any_more_is_erased_with_the_person(make):
    estate = make()
    begun(estate, custom_fields={"team": "Billing"})
    estate.start(UNDECLARED)
    with estate.ledger.transaction() as tx:
        erasure.erase(tx, ANN, estate.clock.now(), estate.context.fields)
    (link,) = estate.links()
    assert "team" not in link.state
    assert not any("team" in side.fields for side in link.sides.values())


@pytest.mark.parametrize("personal", ["true", "false"])
def test_what_is_personal_is_erased_with_the_person(make, personal):
    declared = SHIPPED["mappings/fields.yaml"].replace("label:", f"personal: {personal}, label:")
    estate = make({"mappings/fields.yaml": declared})
    begun(estate, custom_fields={"team": "Billing"})
    with estate.ledger.transaction() as tx:
        erasure.erase(tx, ANN, estate.clock.now(), estate.context.fields)
    (link,) = estate.links()
    assert ("team" in link.state) is (personal == "false")


HOSTILE = (
    "Sales",
    "x" * 300_000,
    ["Billing"],
    {"Billing": {"Billing": "Billing"}},
    7,
    True,
    "Bil\u0000ling\u202e",
    float("nan"),
)


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:20])
def test_what_cannot_be_read_touches_no_other_side_and_no_other_field(make, value):
    estate = make()
    refs = begun(estate, custom_fields={"team": "Billing"})
    changed = {"custom_fields": {"team": value}, "status": "pending"}
    edit(estate, "helpdesk", refs, changed)
    assert product_team(estate, refs) == "billing"
    assert estate.apps["product"].store.get(refs["product"])["status"] == "pending"
    (line,) = [line for line in lines(estate, "unreadable") if line.field == "team"]
    assert len(line.detail["why"]) < 300
    # Somebody decides elsewhere: nobody can say whether that is newer, and nothing is parked.
    edit(estate, "product", refs, trait(estate, refs, "infra"))
    assert estate.parked() == []
    edit(estate, "helpdesk", refs, {"custom_fields": {"team": "Product"}})
    assert product_team(estate, refs) == "product"


def test_why_tells_of_it_like_of_any_other(make):
    estate = make()
    refs = begun(estate, custom_fields={"team": "Billing"})
    said = reasons.explain(desk_of(estate), f"helpdesk:{refs['helpdesk']}", "team")
    assert (said.state.value, said.policy) == ("billing", "latest")
    assert {name: side.shows for name, side in said.sides.items()} == {
        "helpdesk": "Billing",
        "product": "billing",
    }


BY_HAND = {"mappings/syncs.yaml": SWITCH_AND_POSTHOG + "    team: manual\n"}


def test_a_conflict_is_decided_by_hand_with_one_of_the_declared_values(make):
    estate = make(BY_HAND)
    refs = begun(estate, custom_fields={"team": "Billing"})
    estate.apps["product"].edit(refs["product"], trait(estate, refs, "product"))
    estate.apps["helpdesk"].edit(refs["helpdesk"], {"custom_fields": {"team": "Infrastructure"}})
    estate.clock.advance(5)
    for name in refs:
        estate.hint(name, refs[name])
    assert (helpdesk_team(estate, refs), product_team(estate, refs)) == (
        "Infrastructure",
        "product",
    )
    desk, ref = desk_of(estate), f"helpdesk:{refs['helpdesk']}"
    (waiting,) = conflicts.list_open(desk)
    assert waiting.candidates == {"helpdesk": "Infrastructure", "product": "product"}
    with pytest.raises(NotPossible, match="allowed: billing, product, infra, null"):
        conflicts.resolve(desk, ref, "team", value="sales")
    conflicts.resolve(desk, ref, "team", value="billing")
    estate.settle()
    assert (helpdesk_team(estate, refs), product_team(estate, refs)) == ("Billing", "billing")


OWNED = {"mappings/syncs.yaml": SWITCH_AND_POSTHOG + "    team: {owner: helpdesk}\n"}


def test_an_owner_puts_it_back(make):
    estate = make(OWNED)
    refs = begun(estate, custom_fields={"team": "Billing"})
    edit(estate, "product", refs, trait(estate, refs, "infra"))
    assert (helpdesk_team(estate, refs), product_team(estate, refs)) == ("Billing", "billing")


def test_a_plan_shows_the_write_and_apply_makes_just_that(make):
    estate = make()
    refs = begun(estate, custom_fields={"team": "Billing"})
    estate.clock.advance(60)
    estate.apps["helpdesk"].edit(refs["helpdesk"], {"custom_fields": {"team": "Product"}})
    estate.clock.advance(5)
    around = (estate.context, estate.ledger, estate.connectors, ["tickets"])
    found = preview(*around, live=True)
    (write,) = found.writes
    assert (write.connection, write.values) == (
        "product",
        {"anonymous_traits.support_team": "product"},
    )
    assert product_team(estate, refs) == "billing"
    pool = InlineExecutor(estate.clock)
    apply_plan(*around, found.writes, FreeBudget(), pool=pool)
    assert product_team(estate, refs) == "product"


def test_what_a_run_wrote_can_be_taken_back(make):
    estate = make()
    refs = begun(estate, custom_fields={"team": "Billing"})
    estate.clock.advance(60)
    estate.apps["helpdesk"].edit(refs["helpdesk"], {"custom_fields": {"team": "Product"}})
    estate.clock.advance(5)
    with estate.ledger.transaction() as tx:
        run = reconcile.start(tx, "helpdesk", "ticket", "full", estate.clock.now())
    estate.settle()
    assert product_team(estate, refs) == "product"
    with estate.ledger.transaction() as tx:
        undo.start(tx, run, estate.clock.now())
    estate.settle()
    assert product_team(estate, refs) == "billing"
