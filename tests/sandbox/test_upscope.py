import json
from pathlib import Path

import pytest

from bridge.sandbox.population import tickets
from bridge.sandbox.upscope import UpscopeSandbox
from tests.sandbox.conftest import session_for

BASE = "http://upscope.test/v1.1"
CONTROL = "http://upscope.test/_control"
AGENT = {"agent": {"id": "12", "name": "Mary Bishop"}}


@pytest.fixture
def upscope(clock, sequence):
    return UpscopeSandbox(clock, 3, sequence=sequence)


@pytest.fixture
def to_upscope(upscope, clock):
    session = session_for(upscope, clock)
    del session.headers["Authorization"]
    session.headers["X-Api-Key"] = upscope.api_key
    return session


def visitor(to_upscope, visitor_id):
    return to_upscope.get(f"{BASE}/visitors/{visitor_id}.json").json()["visitor"]


def test_the_key_has_a_header_of_its_own_and_each_refusal_its_code(upscope, to_upscope):
    for code in ("subscription_expired", "api_not_enabled", "no_subscription"):
        upscope.configure({"refusal": code})
        answer = to_upscope.get(f"{BASE}/usage.json")
        assert (answer.status_code, answer.json()) == (401, {"status": "error", "error": code})
    upscope.configure({"refusal": ""})
    assert to_upscope.get(f"{BASE}/usage.json").status_code == 200
    del to_upscope.headers["X-Api-Key"]
    assert to_upscope.get(f"{BASE}/usage.json").json()["error"] == "invalid_api_key"


def test_a_visitor_shows_what_the_document_shows(upscope, to_upscope):
    documented = json.loads(Path("tests/fixtures/upscope/api_visitor.json").read_text())["visitor"]
    made = upscope.create({"identities": ["Joe Smith"]})["id"]
    upscope.finish(made, upscope.start(made))
    shown = visitor(to_upscope, made)
    assert shown.keys() == documented.keys()
    assert shown["sessions"][0].keys() == documented["sessions"][0].keys()
    assert shown["sessions"][0]["agents"][0].keys() == documented["sessions"][0]["agents"][0].keys()


def test_usage_has_no_status_and_counts(upscope, to_upscope):
    usage = json.loads(Path("tests/fixtures/upscope/api_usage.json").read_text())
    upscope.populate(30, 1)
    answer = to_upscope.get(f"{BASE}/usage.json").json()
    assert answer.keys() == usage.keys() == {"usage"}
    assert {name: part.keys() for name, part in answer["usage"].items()} == {
        name: part.keys() for name, part in usage["usage"].items()
    }
    assert answer["usage"]["session_counts"]["now"] == 1
    assert answer["usage"]["visitors"]["last_30_days"] == 30
    assert "status" in to_upscope.get(f"{BASE}/list.json").json()


def test_the_listing_is_cut_newest_first_and_shows_no_sessions(upscope, to_upscope, clock):
    made = []
    for _ in range(6):
        made.append(upscope.create({})["id"])
        clock.sleep(1)
    upscope.start(made[0])
    upscope.configure({"listed": 3})
    rows = to_upscope.get(f"{BASE}/list.json").json()["visitors"]
    assert [row["short_id"] for row in rows] == [made[0], made[5], made[4]]
    assert not any("sessions" in row for row in rows)


def test_the_search_finds_parts_of_words(upscope, to_upscope):
    ann = upscope.create({"identities": ["ann@example.com"]})["id"]
    joann = upscope.create({"identities": ["JoAnn@example.com.evil.example"]})["id"]
    upscope.create({})
    rows = to_upscope.get(f"{BASE}/list.json", params={"search": "ANN@example.com"}).json()[
        "visitors"
    ]
    assert {row["short_id"] for row in rows} == {ann, joann}


def test_sessions_have_their_own_time_zone_and_grow_to_their_end(upscope, to_upscope, clock):
    made = upscope.create({})["id"]
    number = upscope.start(made)
    running = visitor(to_upscope, made)
    assert running["is_in_session"] is True
    assert running["sessions"][0]["ended_at"] is None
    clock.sleep(125)
    upscope.finish(made, number)
    over = visitor(to_upscope, made)
    assert (over["is_in_session"], over["sessions"][0]["id"]) == (False, number)
    assert over["sessions"][0]["length_seconds"] == 125
    assert over["sessions"][0]["ended_at"].endswith("+01:00")
    assert over["last_seen_at"].endswith("Z")
    with pytest.raises(Exception, match="no session"):
        upscope.finish(made, number)


def test_newer_versions_call_the_first_visit_otherwise(upscope, to_upscope):
    made = upscope.create({})["id"]
    assert "first_seen_at" in visitor(to_upscope, made)
    upscope.configure({"added_at": True})
    assert "added_at" in visitor(to_upscope, made)
    assert "first_seen_at" not in visitor(to_upscope, made)


@pytest.mark.provokes
def test_a_link_wants_an_agent_keeps_to_limits_and_is_asked_for_once(upscope, to_upscope, clock):
    made = upscope.create({})["id"]
    url = f"{BASE}/visitors/{made}/watch_url.json"
    assert to_upscope.post(url, json={"agent": {"id": 12}}).status_code == 400
    assert to_upscope.post(url.replace(made, "NOBODY"), json=AGENT).status_code == 404
    upscope.configure({"over_limits": True})
    assert to_upscope.post(url, json=AGENT).status_code == 402
    upscope.configure({"over_limits": False})
    assert to_upscope.post(url, json=AGENT).json()["watch_url"].startswith("https://")
    clock.sleep(61)
    to_upscope.post(url, json=AGENT)
    assert [e.note for e in upscope.journal.since() if e.note] == []
    to_upscope.post(url, json=AGENT)
    assert [e.note for e in upscope.journal.since() if e.note] == [
        "forbidden: a second link for one visitor"
    ]


@pytest.mark.provokes
@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_deletion_is_for_good_and_noted(upscope, to_upscope, status):
    upscope.configure({"delete_status": status})
    made = upscope.create({"identities": ["ann@example.com"]})["id"]
    assert to_upscope.delete(f"{BASE}/visitors/{made}.json").status_code == status
    assert to_upscope.delete(f"{BASE}/visitors/{made}.json").status_code == 404
    assert upscope.visitors() == []
    assert [e.note for e in upscope.journal.since() if e.kind == "delete"] == [
        "forbidden: a visitor deleted"
    ]


@pytest.mark.provokes
def test_everybody_can_be_deleted_which_nobody_may(upscope, to_upscope):
    upscope.populate(10, 1)
    assert to_upscope.delete(f"{BASE}/visitors.json").status_code == 404
    assert to_upscope.delete(f"{BASE}/visitors.json", params={"all": "true"}).status_code == 200
    assert [row["is_online"] for row in upscope.visitors()] == [True]
    assert [e.note for e in upscope.journal.since() if e.note] == ["forbidden: everybody deleted"]


def test_its_people_are_the_customers_of_the_others_tickets(upscope, switch):
    upscope.populate(30, 5)
    switch.populate(30, 5)
    known = {text for row in upscope.visitors() for text in row["identities"] or () if "@" in text}
    customers = {row["customer"]["email"] for row in switch.tickets()}
    assert known < customers == {draft.customer for draft in tickets(30, 5)}
    assert (
        len(
            [
                row
                for row in upscope.visitors()
                if row["identities"] is None and row["unique_id"] is None
            ]
        )
        == 6
    )
    assert all(tag.startswith("#") for row in upscope.visitors() for tag in row["tags"])
    sessions = upscope.records("session")
    assert len([each for each in sessions if each["ended_at"] is None]) == 1
    assert len([each for each in sessions if each["ended_at"] is not None]) > 5
    again = UpscopeSandbox(upscope.clock, 3)
    again.populate(30, 5)
    assert again.visitors() == upscope.visitors()


def test_the_hand_changes_visitors_and_knows_no_tickets(upscope, to_upscope):
    made = upscope.create({})["id"]
    number = to_upscope.post(
        f"{CONTROL}/edit", json={"id": made, "fields": {"start_session": True}}
    ).json()
    number = number["data"]["sessions"][0]["id"]
    done = to_upscope.post(
        f"{CONTROL}/edit", json={"id": made, "fields": {"finish_session": number, "tags": ["#a"]}}
    )
    assert done.json()["data"]["tags"] == ["#a"]
    assert (
        to_upscope.post(
            f"{CONTROL}/edit", json={"id": made, "fields": {"status": "open"}}
        ).status_code
        == 400
    )
    assert to_upscope.post(f"{CONTROL}/tickets", json={"subject": "Help"}).status_code == 400
    assert to_upscope.post(f"{CONTROL}/message", json={"id": made, "text": "hi"}).status_code == 400
    assert to_upscope.get(f"{CONTROL}/tickets").json()["data"] == []
    assert (
        to_upscope.get(f"{CONTROL}/records", params={"entity": "customer"}).json()["data"][0]["id"]
        == made
    )
    assert {entry.entity for entry in upscope.journal.since() if entry.actor == "human"} == {
        "customer"
    }
