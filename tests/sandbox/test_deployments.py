"""How deployments of a vendor's differ: written down, drawn, and played."""

import random

import pytest

from bridge.sandbox.access import accounts
from bridge.sandbox.deployments import COMMON, draw, parse, usual_options, written
from bridge.sandbox.registry import sandbox_class, systems
from tests.sandbox.played import POSTHOG, SWITCH

VENDORS = [sandbox_class(system) for system in systems()]


def test_what_is_drawn_by_a_seed_can_be_written_down_and_read_again():
    drawn = [parse("random", VENDORS, seed) for seed in range(20)]
    assert drawn == [parse("random", VENDORS, seed) for seed in range(20)]
    assert len({written(deployment) for deployment in drawn}) == 20
    for deployment in drawn:
        assert parse(written(deployment), VENDORS, 0) == deployment


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.SYSTEM)
def test_every_option_that_is_drawn_is_there_and_comes_out_in_each_way(vendor, clock):
    usual = usual_options(vendor.OPTIONS)
    seen = {name: {repr(usual[name])} for name in vendor.DEPLOYMENTS}
    for seed in range(200):
        drawn = draw(random.Random(seed), vendor)
        vendor(clock, options=drawn)
        for name, value in drawn.items():
            assert value != usual[name]
            seen[name].add(repr(value))
    values = {name: {repr(value) for value in all_} for name, all_ in vendor.DEPLOYMENTS.items()}
    assert all(values[name] <= seen[name] for name in values)


def test_an_option_is_of_one_system_or_of_all_that_have_it():
    assert parse("switch.create=405, posthog.post=older", VENDORS, 0) == {
        "switch": {"create": 405},
        "posthog": {"post": "older"},
    }
    assert parse("list_lag=2.5", VENDORS, 0) == {
        system: {"list_lag": 2.5} for system in systems()
    }  # fmt: skip
    assert parse("ids_supported=false", VENDORS, 0) == {"posthog": {"ids_supported": False}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("posthog.nothing=1", "unknown option 'posthog.nothing'; allowed: "),
        ("zaia.ids_supported=1", "posthog.ids_supported"),
        ("tags", "'tags' is not NAME=VALUE, nor is it 'random'"),
        ("", "is not NAME=VALUE"),
    ],
)
def test_mistakes_are_named(text, said):
    with pytest.raises(ValueError, match=said.replace(".", r"\.")):
        parse(text, VENDORS, 0)


def test_common_options_are_every_vendors(clock):
    for vendor in VENDORS:
        assert vendor(clock).options.keys() >= COMMON.keys()


def test_a_connection_is_told_what_its_deployment_lacks():
    usual = accounts()["zaia"].options
    told = accounts(deployment={"zaia": {"tag_listing": False}})["zaia"].options
    assert (usual["tag_listing"], told) == (True, usual | {"tag_listing": False})


@pytest.mark.parametrize(("cursor", "again"), [("exclusive", False), ("inclusive", True)])
def test_a_cursor_excludes_its_own_row_or_shows_it_again(switch, to_switch, clock, cursor, again):
    switch.configure({"cursor": cursor})
    for _ in range(3):
        switch.create({"subject": "x"})
        clock.sleep(1)
    params = {"limit": 2, "order_by": "created_at", "order_dir": "asc"}
    first = to_switch.get(f"{SWITCH}/tickets", params=params).json()
    params["cursor"] = first["meta"]["next_cursor"]
    second = to_switch.get(f"{SWITCH}/tickets", params=params).json()["data"]
    assert (first["data"][-1]["id"] in {row["id"] for row in second}) is again


@pytest.mark.parametrize(("first", "index"), [("newest", -1), ("oldest", 0)])
def test_conversations_come_in_an_order_that_nobody_promised(
    switch, to_switch, clock, first, index
):
    switch.configure({"conversations_first": first})
    ticket = switch.create({"subject": "x"})["id"]
    made = []
    for text in "abc":
        made.append(switch.message(ticket, text)["id"])
        clock.sleep(1)
    rows = to_switch.get(f"{SWITCH}/conversations").json()["data"]
    assert rows[0]["id"] == made[index]


def test_a_deployment_takes_one_word_of_two_for_a_priority(switch, to_switch):
    switch.configure({"priority_word": "normal", "other_word": False})
    ticket = to_switch.post(f"{SWITCH}/tickets", json={"subject": "x", "priority": "normal"})
    url = f"{SWITCH}/tickets/{ticket.json()['data']['id']}"
    assert ticket.json()["data"]["priority"] == "normal"
    assert to_switch.patch(url, json={"priority": "medium"}).status_code == 400


@pytest.mark.parametrize("status", [403, 405])
def test_a_create_is_refused_with_the_status_that_was_asked_for(switch, to_switch, status):
    switch.configure({"create": status})
    answer = to_switch.post(f"{SWITCH}/tickets", json={"subject": "x"})
    assert (answer.status_code, len(switch.store)) == (status, 0)
    assert switch.journal.since()[-1].undocumented == ()


def test_a_webhook_shows_the_record_or_has_it_under_its_name(switch):
    record = switch.create({"subject": "x"})
    (event,) = switch.events("create", record, {}, {})
    assert switch.envelope(event, "1")[0]["data"]["id"] == record["id"]
    switch.configure({"webhook_data": "nested"})
    assert switch.envelope(event, "1")[0]["data"]["ticket"]["id"] == record["id"]


def test_an_older_posthog_breaks_at_first_and_knows_no_create_later(posthog, to_posthog):
    posthog.configure({"post": "older"})
    statuses = [to_posthog.post(f"{POSTHOG}/", json={}).status_code for _ in range(3)]
    assert (statuses, len(posthog.store)) == ([500, 405, 405], 0)


def test_what_a_personal_key_may_not_do_is_said_in_the_detail(posthog, to_posthog):
    posthog.configure({"personal_delete": False})
    ticket = posthog.create({})["id"]
    answer = to_posthog.delete(f"{POSTHOG}/{ticket}/")
    assert (answer.status_code, answer.json()["detail"], len(posthog.store)) == (
        403,
        "This action does not support Personal API Key access",
        1,
    )


def test_a_restricted_ticket_is_missing_from_lists_and_takes_no_change(posthog, to_posthog):
    ticket, other = posthog.create({})["id"], posthog.create({})["id"]
    shown = to_posthog.get(POSTHOG).json()["results"]
    assert {row["user_access_level"] for row in shown} == {"editor"}
    posthog.restrict(ticket)
    rows = to_posthog.get(POSTHOG).json()["results"]
    assert [row["id"] for row in rows] == [other]
    answer = to_posthog.patch(f"{POSTHOG}/{ticket}/", json={"status": "open"})
    assert (answer.status_code, "editor access" in answer.json()["detail"]) == (403, True)
    posthog.restrict(ticket, restricted=False)
    assert to_posthog.patch(f"{POSTHOG}/{ticket}/", json={"status": "open"}).status_code == 200


def test_an_older_posthog_has_no_critical_and_people_choose_high_there(posthog, to_posthog):
    posthog.configure({"critical": False})
    ticket = posthog.create({"priority": "critical"})
    assert ticket["priority"] == "high"
    url = f"{POSTHOG}/{ticket['id']}/"
    assert to_posthog.patch(url, json={"priority": "critical"}).json()["attr"] == "priority"


def test_what_waits_for_a_deletion_is_on_hold(posthog):
    ticket = posthog.create({"status": "pending"})["id"]
    assert posthog.edit(ticket, {"awaiting_deletion_id": "x"})["status"] == "on_hold"
    assert posthog.edit(ticket, {"awaiting_deletion_id": None})["status"] == "open"


def test_an_unknown_view_is_refused_and_no_other_filter_is(posthog, to_posthog):
    posthog.create({})
    assert to_posthog.get(POSTHOG, params={"view": "mine"}).status_code == 400
    assert to_posthog.get(POSTHOG, params={"channel_source": "pigeon"}).json()["count"] == 1


@pytest.mark.parametrize("name", ["emails", "distinct_ids"])
def test_tickets_are_found_by_who_asked(posthog, to_posthog, name):
    ticket = posthog.create({"anonymous_traits": {"email": "Ann@example.com"}})
    posthog.create({"anonymous_traits": {"email": "bob@example.com"}})
    wanted = {"emails": "zoe@example.com,ann@example.com", "distinct_ids": ticket["distinct_id"]}
    rows = to_posthog.get(POSTHOG, params={name: wanted[name]}).json()["results"]
    assert [row["id"] for row in rows] == [ticket["id"]]
