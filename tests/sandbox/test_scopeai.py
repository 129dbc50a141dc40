import json
import re
from pathlib import Path

import pytest

from bridge.sandbox.population import tickets
from bridge.sandbox.scopeai import ScopeaiSandbox
from bridge.sandbox.scopeai_tags import discovered
from tests.sandbox.conftest import session_for

BASE = "http://scopeai.test/v1"
CONTROL = "http://scopeai.test/_control"
DAY = 86400


@pytest.fixture
def scopeai(clock, sequence):
    return ScopeaiSandbox(clock, 3, sequence=sequence)


@pytest.fixture
def to_scopeai(scopeai, clock):
    session = session_for(scopeai, clock)
    session.headers["Authorization"] = f"Token token={scopeai.api_key}"
    return session


def forbidden(scopeai):
    return [entry.note for entry in scopeai.journal.since() if entry.note.startswith("forbidden")]


def listed(to_scopeai, **params):
    return [
        row["id"]
        for row in to_scopeai.get(f"{BASE}/tickets", params={"start_date": 0, **params}).json()
    ]


@pytest.mark.parametrize("header", ["Bearer {}", "Token {}", "token={}", "Token token=x{}", ""])
def test_the_key_wants_its_own_grammar(scopeai, to_scopeai, header):
    to_scopeai.headers["Authorization"] = header.format(scopeai.api_key)
    assert to_scopeai.get(f"{BASE}/tags").status_code == 401


@pytest.mark.provokes
def test_a_listing_without_start_date_hides_what_is_old_and_is_on_record(
    scopeai, to_scopeai, clock
):
    scopeai.create({"original_text": "old"})
    clock.sleep(15 * DAY)
    scopeai.create({"original_text": "new"})
    clock.sleep(5)
    assert [row["id"] for row in to_scopeai.get(f"{BASE}/tickets").json()] == [2]
    assert forbidden(scopeai) == ["forbidden: a listing without start_date"]
    assert listed(to_scopeai) == [1, 2]
    assert len(forbidden(scopeai)) == 1


def test_neither_end_of_a_window_belongs_to_it(scopeai, to_scopeai, clock):
    at = int(clock.now().timestamp())
    scopeai.create({"original_text": "x", "made_at": at})
    assert listed(to_scopeai, start_date=at) == listed(to_scopeai, end_date=at) == []
    assert listed(to_scopeai, start_date=at - 1, end_date=at + 1) == [1]


def test_pages_are_linked_and_the_window_is_lost_on_the_way(scopeai, to_scopeai, clock):
    for _ in range(60):
        scopeai.create({"original_text": "x"})
    clock.sleep(1)
    answer = to_scopeai.get(f"{BASE}/tickets", params={"start_date": 0})
    assert len(answer.json()) == 25
    assert set(answer.links) == {"next", "last"}
    assert "start_date" not in answer.links["next"]["url"]
    second = to_scopeai.get(answer.links["next"]["url"] + "&start_date=0")
    assert set(second.links) == {"next", "prev", "last"}
    third = to_scopeai.get(second.links["next"]["url"] + "&start_date=0")
    assert (len(third.json()), set(third.links)) == (10, {"prev"})
    scopeai.configure({"keep_window": True})
    assert "start_date=0" in to_scopeai.get(answer.url).links["next"]["url"]
    assert "Link" not in to_scopeai.get(f"{BASE}/tags").headers


@pytest.mark.provokes
def test_an_external_id_may_come_twice_and_is_on_record(scopeai, to_scopeai):
    for external in (7, "7"):
        assert to_scopeai.post(f"{BASE}/tickets", json={"external_id": external}).status_code == 201
    assert len(scopeai.tickets()) == 2
    assert forbidden(scopeai) == ["forbidden: one external_id twice"]
    assert to_scopeai.get(f"{BASE}/tickets/find_by", params={"external_id": 7}).json()["id"] == 1


@pytest.mark.parametrize("status", [200, 201])
def test_what_a_create_answers_is_an_option(scopeai, to_scopeai, status):
    scopeai.configure({"create_answer": "empty", "create_status": status})
    answer = to_scopeai.post(f"{BASE}/tickets", json={"original_text": "x"})
    assert (answer.status_code, answer.content) == (status, b"")
    assert len(scopeai.tickets()) == 1


def test_what_is_not_there_is_404(scopeai, to_scopeai):
    scopeai.create({"external_id": 7})
    scopeai.configure({"find_by": False})
    for path in ("tickets/9", "tickets/x", "tags/9", "tickets/find_by?external_id=7"):
        assert to_scopeai.get(f"{BASE}/{path}").status_code == 404
    for method in ("PATCH", "PUT", "DELETE"):
        assert to_scopeai.request(method, f"{BASE}/tickets/1").status_code == 405


@pytest.mark.parametrize("scores", ["salience", "salience_score"])
def test_subjects_are_found_after_a_while_the_same_for_the_same_text(
    scopeai, to_scopeai, clock, scores
):
    scopeai.configure({"scores": scores, "analysis_delay": 10})
    text = "The file is cut off, and the price is wrong."
    for _ in range(2):
        assert (
            to_scopeai.post(f"{BASE}/tickets", json={"original_text": text}).json()[
                "tag_relationships"
            ]
            == []
        )
    assert to_scopeai.get(f"{BASE}/tags").json() == []
    clock.sleep(11)
    one, two = (
        to_scopeai.get(f"{BASE}/tickets/{number}").json()["tag_relationships"] for number in (1, 2)
    )
    assert one == two
    assert {each["tag_id"] for each in one} == {1, 2}
    assert all(scores in each for each in one)
    assert [tag["name"] for tag in to_scopeai.get(f"{BASE}/tags").json()] == ["export", "pricing"]


def test_irrelevant_tags_are_hidden_in_the_catalogue_only(scopeai, to_scopeai):
    made = scopeai.create({"original_text": "x"})["id"]
    scopeai.edit(str(made), {"add_tag": {"name": "noise", "relevant": False}})
    assert to_scopeai.get(f"{BASE}/tags").json() == []
    assert [tag["name"] for tag in to_scopeai.get(f"{BASE}/tags?relevant=false").json()] == [
        "noise"
    ]
    tag = to_scopeai.get(f"{BASE}/tags/1").json()
    assert (tag["name"], tag["relevant"], tag["tickets_count"]) == ("noise", False, 1)


def test_it_shows_what_the_document_shows(scopeai, to_scopeai):
    def keys(name):
        text = Path(f"tests/fixtures/scopeai/api_{name}.txt").read_text(encoding="utf-8")
        return set(re.findall(r'"(\w+)":', text))

    made = scopeai.create({"original_text": "x"})["id"]
    scopeai.edit(str(made), {"add_tag": {"name": "y"}})
    shown = to_scopeai.get(f"{BASE}/tickets/{made}").json()
    assert {*shown, *shown["tag_relationships"][0]} == keys("ticket")
    assert set(to_scopeai.get(f"{BASE}/tags/1").json()) == keys("tag")


def test_the_hand_adds_tags_and_nothing_else(scopeai, to_scopeai):
    made = str(scopeai.create({"original_text": "x"})["id"])
    fields = {"id": made, "fields": {"add_tag": {"name": "late", "salience": 0.4}}}
    assert to_scopeai.post(f"{CONTROL}/edit", json=fields).status_code == 200
    (relation,) = to_scopeai.get(f"{BASE}/tickets/{made}").json()["tag_relationships"]
    assert (relation["salience"], relation["sentiment"]) == (0.4, None)
    refused = to_scopeai.post(f"{CONTROL}/edit", json={"id": made, "fields": {"status": "open"}})
    assert (refused.status_code, "allowed: add_tag" in json.dumps(refused.json())) == (400, True)


def test_a_population_is_imported_text_with_doubled_ids(scopeai, to_scopeai, clock):
    ids = scopeai.populate(20, 5)
    clock.sleep(10)
    rows = to_scopeai.get(f"{BASE}/tickets", params={"start_date": 0}).json()
    assert [str(row["id"]) for row in rows] == ids
    assert len({row["external_id"] for row in rows}) == 10
    assert [row["original_text"] for row in rows] == [draft.body for draft in tickets(20, 5)]
    assert any(row["tag_relationships"] for row in rows)


def test_every_text_of_the_population_is_about_something():
    assert all(discovered(draft.body) for draft in tickets(60, 1))
