"""The subjects that ScopeAI finds, and the examples of its document as they are printed."""

from __future__ import annotations

import json
import re

import pytest

from bridge.connectors.scopeai.listing import links, next_query
from bridge.connectors.scopeai.records import relationships
from bridge.connectors.scopeai.tag_names import NAME_LIFETIME
from bridge.core.model.clocks import NOT_LEARNT
from bridge.http.caller import Answer
from bridge.sandbox.exchange import answer
from bridge.sandbox.scopeai import ScopeaiSandbox
from bridge.sandbox.transport import WSGIAdapter
from bridge.scrubber import Scrubber
from tests.connectors.bench import FIXTURES, KEY, START
from tests.connectors.scopeai_bench import ScopeaiBench


@pytest.fixture
def bench():
    made = ScopeaiBench()
    yield made
    assert made.forbidden() == []
    made.http.close()


@pytest.mark.parametrize("scores", ["salience", "salience_score"])
def test_tags_are_found_later_and_named(scores):
    bench = ScopeaiBench({"scores": scores, "analysis_delay": 30})
    one = bench.make(original_text="The file is cut off")
    assert bench.tags(one) == {}
    bench.wait(31)
    (found,) = bench.read(one).data["tags"]
    assert found["name"] == "export"
    assert 0.4 <= found["salience"] <= 1
    assert found["sentiment"] is None or 0 <= found["sentiment"] <= 1


def test_a_tag_that_the_catalogue_hides_is_asked_for_by_itself(bench):
    one = bench.make()
    bench.box.edit(one, {"add_tag": {"name": "hidden", "relevant": False, "salience": 0.9}})
    assert bench.tags(one) == {"hidden": 0.9}
    assert bench.tags(one) == {"hidden": 0.9}
    assert len(bench.asked("/tags?")) == len(bench.asked("/tags/")) == 1
    bench.wait(NAME_LIFETIME.total_seconds())
    bench.tags(one)
    assert len(bench.asked("/tags?")) == len(bench.asked("/tags/")) == 2


def test_a_tag_that_nobody_can_name_is_left_out_and_not_asked_for_again_at_once(bench):
    one = bench.make()
    bench.box.edit(one, {"add_tag": {"name": "known", "salience": 0.5}})
    odd = [*bench.box.store.get(one)["by_hand"], {"tag_id": 99, "salience": 1, "sentiment": 1}]
    bench.box.edit(one, {"tag_relationships": odd})
    assert bench.tags(one) == bench.tags(one) == {"known": 0.5}
    assert len(bench.asked("/tags/99")) == 1


def test_a_new_tag_needs_no_new_listing(bench):
    one = bench.make()
    bench.touch(one)
    bench.tags(one)
    bench.box.edit(one, {"add_tag": {"name": "newer"}})
    assert "newer" in bench.tags(one)
    assert len(bench.asked("/tags?")) == len(bench.asked("/tags/")) == 1


def test_more_tags_than_a_page_are_listed_to_the_end(bench):
    one = bench.make()
    for number in range(130):
        bench.box.edit(one, {"add_tag": {"name": f"tag {number}"}})
    assert len(bench.tags(one)) == 130
    assert len(bench.asked("/tags?")) == 2
    assert bench.asked("/tags/") == []


def test_a_ticket_read_alone_may_hide_what_the_listing_shows():
    bench = ScopeaiBench({"alone": False})
    one = bench.make()
    bench.touch(one)
    assert bench.tags(one) == {}
    (listed,) = bench.connector.changed("ticket", None).records
    assert len(listed.data["tags"]) == 1


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({}, None),
        ({"tag_relationships": None}, None),
        ({"tag_relationships": "x"}, None),
        ({"tag_relationships": [1, None, {}, {"tag_id": None}, {"tag_id": True}]}, []),
        ({"tag_relationships": [{"tag_id": 4, "salience": None}]}, [("4", None, None)]),
        (
            {"tag_relationships": [{"tag_id": "4", "salience": "0.5", "sentiment": True}]},
            [("4", None, None)],
        ),
        (
            {"tag_relationships": [{"tag_id": 4, "salience_score": 1, "sentiment_score": 0.0}]},
            [("4", 1, 0.0)],
        ),
        (
            {"tag_relationships": [{"tag_id": 4, "salience": None, "salience_score": 0.3}]},
            [("4", 0.3, None)],
        ),
    ],
)
def test_relationships_of_every_shape(row, expected):
    found = relationships(row)
    assert (found and [tuple(each.values()) for each in found]) == expected or found == expected


def test_the_probe_tells_spelling_and_type():
    bench = ScopeaiBench({"scores": "salience_score"})
    assert bench.connector.probe() == {"salience": None, "external_id": None}
    bench.touch(bench.make(external_id="7"))
    assert bench.connector.probe() == {"salience": "salience_score", "external_id": "string"}


# The document's own examples, as printed


def printed(name):
    """Read an example as tolerantly as a person would; its faults are known, and still there."""
    text = (FIXTURES / "scopeai" / f"api_{name}.txt").read_text(encoding="utf-8")
    text = re.sub(r"^\s*\{\s*\{", "{", text)
    text = re.sub(r",(\s*[}\]])", r"\1", text)
    text += "]" * (text.count("[") - text.count("]"))
    return json.loads(text, strict=False)


@pytest.mark.parametrize("name", ["ticket", "create", "list", "one_tag"])
def test_the_faults_of_the_examples_are_still_there(name):
    with pytest.raises(json.JSONDecodeError):
        json.loads((FIXTURES / "scopeai" / f"api_{name}.txt").read_text(encoding="utf-8"))


class Printed(ScopeaiSandbox):
    """The sandbox, answering with the document's examples."""

    def list_tickets(self, _call):
        return self.shown(printed("list"))

    def get_ticket(self, _call, ticket_id):
        return self.shown(printed("ticket" if ticket_id == "1" else "one"))

    def list_tags(self, _call):
        return self.shown(printed("tags"))

    def get_tag(self, _call, tag_id):
        return self.shown({**printed("one_tag" if tag_id == "4" else "tag"), "id": int(tag_id)})

    def shown(self, value):
        return answer(value)


def test_every_printed_example_is_understood(bench):
    bench.faulty._inner = WSGIAdapter(Printed(bench.clock, 1, api_key=KEY), bench.clock)
    first, second = bench.connector.scan("ticket", None).records
    assert (first.ref.id, second.ref.id) == ("1", "3")
    assert first.data["external_id"] == second.data["external_id"] == 564652
    assert first.data["tags"][0] == {"name": "superuser", "salience": 0.7, "sentiment": 0.6}
    assert bench.read("1").data["tags"][0]["salience"] == 0.7
    assert bench.read("3").data["tags"] == []
    assert set(printed("create")) == {"external_id", "original_text", "original_html"}
    assert bench.asked("/tags/4") == [], "the listing has named it"


def test_the_printed_header_is_understood():
    header = (FIXTURES / "scopeai" / "api_link.txt").read_text(encoding="utf-8")
    assert "\n<" in header
    assert set(links(header)) == {"next", "last"}
    told = Answer(200, {"link": header}, [], START, NOT_LEARNT)
    base = "https://api.getscopeai.com/v1"
    query = next_query("my-scopeai", base, "/tickets", told, Scrubber([]))
    assert query == {"page": "2", "per_page": "25"}
