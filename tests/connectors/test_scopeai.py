"""The ScopeAI connector against the sandbox of its API, and each trap of lists and creates."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest

from bridge.connectors.contract import Draft, Intent, OwnFindings
from bridge.connectors.scopeai.external_id_form import ExternalIdForm
from bridge.connectors.scopeai.listing import links
from bridge.core.model.values import Ref
from bridge.errors import ConfigError, Unauthorised, Unavailable, UnknownOutcome, Unsupported
from tests.connectors.bench import KEY, START, a_marker
from tests.connectors.contract import ConnectorContract
from tests.connectors.documented import below, documented
from tests.connectors.scopeai_bench import ScopeaiBench


@pytest.fixture
def bench():
    made = ScopeaiBench()
    yield made
    assert made.forbidden() == []
    made.http.close()


class TestScopeai(ConnectorContract):
    system = "scopeai"

    def test_reads_what_is_there_and_says_what_is_not(self, bench):
        """What is not shown was not deleted: there is no such call."""
        (one,) = bench.add(1)
        before = bench.side_effects()
        record = bench.read(one)
        assert record.ref == Ref("my-scopeai", "ticket", one)
        assert record.data.keys() >= bench.shows
        assert (record.partial, record.marker, record.changed_before) == (False, None, None)
        with pytest.raises(
            Unavailable, match="ticket 999 is not shown, which is no deletion here; check base_url"
        ):
            bench.read("999")
        assert bench.side_effects() == before

    def test_a_create_shows_its_values_and_hides_its_marker(self, bench):
        """A number cannot be turned back into a marker: reads show the number itself."""
        marker = a_marker(bench.connector, 1)
        made = bench.connector.create(bench.draft(marker))
        assert (made.marker, made.partial, "tags" in made.data) == (marker, True, False)
        read = bench.read(made.ref.id)
        assert read.marker == str(read.data["external_id"])
        assert marker.startswith(bench.connector.markers.original(read.marker))
        assert bench.connector.markers.original(read.marker)
        assert marker not in json.dumps(read.data)
        assert read.data["original_text"] == "The file is cut off"

    def test_changed_gives_rows_that_move_while_it_runs(self, bench):
        """Nothing moves in a listing by creation; the next poll sees what was found meanwhile."""
        ids = bench.add(150)
        page = bench.connector.changed("ticket", None)
        bench.touch(page.records[0].ref.id)
        late = bench.make()
        cursor, seen = (
            json.loads(json.dumps(page.cursor)),
            [record.ref.id for record in page.records],
        )
        rest, cursor = bench.poll(cursor)
        assert set(ids) <= {*seen, *rest}
        again, _ = bench.poll(cursor)
        assert {ids[0], late} <= set(again)


# Configuration and credentials


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"external_id": "uuid"}, "external_id: is 'uuid'; allowed int, string"),
        ({"find_by": "yes"}, "find_by: is 'yes'; allowed true, false"),
        ({"window": "a week"}, "window: is 'a week'; allowed hours or days"),
        ({"window": "0d"}, "window: is '0d'"),
        ({"window": 7}, "window: is '7'"),
    ],
)
def test_options_of_a_wrong_shape_are_named(options, told):
    with pytest.raises(ConfigError, match=re.escape(f"connections.my-scopeai.{told}")):
        ScopeaiBench(**options)


def test_the_key_has_a_grammar_of_its_own(bench):
    assert bench.connector.ping() == "tags can be listed; there are none yet"
    bench.box.api_key = "another"
    with pytest.raises(Unauthorised) as error:
        bench.connector.ping()
    assert KEY not in str(error.value)


# Windows and pages


def test_every_page_has_a_start_date_also_where_next_has_lost_it(bench):
    old = bench.make(made_at=(START - timedelta(days=400)).timestamp())
    ids = bench.add(250)
    seen, _ = bench.poll()
    assert sorted(seen, key=int) == [old, *ids]
    pages = bench.asked("/tickets?")
    assert len(pages) == 3
    assert all("start_date=0&" in url or url.endswith("start_date=0") for url in pages)


def test_a_poll_reads_the_last_days_again_and_no_more():
    bench = ScopeaiBench(window="2d")
    now = START.timestamp()
    ages = {bench.make(made_at=now - hours * 3600): hours for hours in (0, 47, 48, 50, 24 * 20)}
    seen, cursor = bench.poll()
    assert set(seen) == set(ages)
    seen, cursor = bench.poll(cursor)
    assert {ages[each] for each in seen} == {0, 47, 48}
    bench.wait(24 * 3600)
    assert {ages[each] for each in bench.poll(cursor)[0]} == {
        0,
        47,
        48,
    }  # two days before the last poll
    assert bench.forbidden() == []


def test_a_poll_after_a_long_pause_leaves_no_gap(bench):
    _, cursor = bench.poll()
    bench.wait(60)
    missed = bench.make()
    bench.wait(30 * 24 * 3600)
    assert missed in bench.poll(cursor)[0]


def test_rows_that_slip_onto_the_next_page_come_once(bench):
    bench.add(120)
    page = bench.connector.changed("ticket", None)
    real = bench.box.tickets
    bench.box.tickets = lambda: [real()[99], *real()]
    try:
        rest, _ = bench.poll(page.cursor)
    finally:
        bench.box.tickets = real
    assert len(rest) == len(set(rest)) == 20


def test_messages_are_made_read_and_found_but_never_listed(bench):
    assert bench.connector.changed("message", None).records == []
    assert bench.connector.scan("message", None) == bench.connector.scan("message", {"x": 1})
    made = bench.connector.create(Draft("message", {"original_text": "It still fails"}, "m-9"))
    assert made.ref.entity == "message"
    (found,) = bench.connector.find(Intent(Draft("message", {}, "m-9"), bench.clock.now()))
    assert (found.ref, found.marker) == (made.ref, "m-9")
    assert bench.read(made.ref.id, "message").ref == made.ref
    with pytest.raises(Unsupported):
        bench.connector.read("customer", ["1"])


@pytest.mark.parametrize("body", [b'{"data": []}', b"12", b"null"])
def test_a_listing_that_is_no_array_is_an_error(bench, body):
    bench.make()
    real = bench.box.list_tickets

    def listing(call):
        told = real(call)
        told.set_data(body)
        return told

    bench.box.list_tickets = listing
    with pytest.raises(Unavailable, match="no array of rows"):
        bench.connector.changed("ticket", None)


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (
            "<https://evil.example/v1/tickets?page=2>; rel=next",
            "https://evil.example; it was not asked for",
        ),
        (
            "<http://scopeai.example/v1/tickets?page=2>; rel=next",
            "http://scopeai.example; it was not asked for",
        ),
        ("<https://scopeai.example:8443/v1/tickets?page=2>; rel=next", "it was not asked for"),
        ("<https://x@scopeai.example/v1/tickets?page=2>; rel=next", "it was not asked for"),
        ("<//evil.example/v1/tickets?page=2>; rel=next", "https://evil.example"),
        (f"<//{KEY}.example/v1/tickets?page=2>; rel=next", "https://•••.example"),
        ("<https://scopeai.example/v1/keys?page=2>; rel=next", "another path"),
        ("<https://[/v1/tickets>; rel=next", "cannot be read"),
        ("<?page=1>; rel=next", "earlier one"),
        ("<?per_page=100>; rel=next", "round in a circle"),
    ],
)
def test_a_next_page_elsewhere_is_not_asked_for(bench, header, told):
    bench.make()
    real = bench.box.list_tickets

    def listing(call):
        told = real(call)
        told.headers["Link"] = header
        return told

    bench.box.list_tickets = listing
    with pytest.raises(Unavailable, match=told):
        bench.connector.scan("ticket", None)
    assert len(bench.faulty.calls) == 1


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", {}),
        ('<a?page=2>; rel="next"', {"next": "a?page=2"}),
        ("<a>; rel=next, <b>;rel=last", {"next": "a", "last": "b"}),
        ('<a>; title="x, <y>; rel=prev"; rel="next last"', {"next": "a", "last": "a"}),
        ('<a>; rel="next",\r\n <b>; rel="last"', {"next": "a", "last": "b"}),
        ('<a>; REL="Next"; rel="prev"', {"next": "a"}),
        ('<a>; rel="next", <b>; rel="next"', {"next": "a"}),
        ("<a,b>; rel=next; x", {"next": "a,b"}),
        ("no link at all", {}),
    ],
)
def test_link_headers_of_every_kind(header, expected):
    assert links(header) == expected


# Creating and finding


@pytest.mark.parametrize("marker", ["m-1", "m-2", "a" * 40])
def test_a_number_stands_for_a_marker(marker):
    markers = ScopeaiBench().connector.markers
    number, as_text = ExternalIdForm("int", OwnFindings).ids(marker, markers)
    assert (number, as_text) == (markers.number(marker), str(number))
    assert number != markers.number(marker + "x")
    assert 2**51 <= number < 2**53
    assert ExternalIdForm("string", OwnFindings).ids(marker, markers) == (marker, number)


@pytest.mark.parametrize("kind", ["int", "string"])
@pytest.mark.parametrize("find_by", [True, False])
@pytest.mark.parametrize("shows", ["ticket", "empty"])
@pytest.mark.parametrize("status", [200, 201])
def test_what_was_made_is_found_whatever_the_answer_was(kind, find_by, shows, status):
    bench = ScopeaiBench(
        {"create_answer": shows, "create_status": status, "find_by": find_by},
        external_id=kind,
        find_by=True,
    )
    bench.add(130)
    sent_at = bench.clock.now()
    made = bench.connector.create(bench.draft("m-1"))
    assert (made is None) == (shows == "empty")
    (found,) = bench.connector.find(Intent(bench.draft("m-1"), sent_at))
    assert (found.ref.id, found.marker) == ("131", "m-1")
    sent = bench.box.store.get("131")["external_id"]
    assert isinstance(sent, int if kind == "int" else str)
    assert bench.forbidden() == []


def test_numbers_that_come_back_as_text_are_the_same(bench):
    one = bench.make(external_id=str(bench.connector.markers.number("m-1")))
    (found,) = bench.connector.find(Intent(bench.draft("m-1"), bench.clock.now()))
    assert found.ref.id == one


def test_several_of_one_marker_come_lowest_first():
    bench = ScopeaiBench()
    own_id = bench.connector.markers.number("m-1")
    ids = [bench.make(external_id=own_id) for _ in range(11)]
    found = bench.connector.find(Intent(bench.draft("m-1"), bench.clock.now()))
    assert [record.ref.id for record in found] == ids
    assert {record.marker for record in found} == {"m-1"}


def test_looking_up_needs_no_names_and_asks_nothing_for_what_was_never_sent(bench):
    bench.touch(bench.make(external_id=bench.connector.markers.number("m-1")))
    assert bench.connector.find(Intent(bench.draft("m-1"), None)) == []
    assert bench.faulty.calls == []
    bench.connector.find(Intent(bench.draft("m-1"), bench.clock.now()))
    assert bench.asked("/tags") == []


def test_a_create_asks_for_nothing_afterwards_that_could_fail(bench):
    bench.connector.create(bench.draft("m-1"))
    assert [method for method, _ in bench.faulty.calls] == ["POST"]


def test_a_create_without_an_answer_is_not_repeated(bench):
    bench.faulty.next = ["502-after"]
    with pytest.raises(UnknownOutcome):
        bench.connector.create(bench.draft("m-1"))
    assert len(bench.box.store) == 1


def test_documented_calls():
    bench = ScopeaiBench()
    connector = bench.connector
    ref = connector.create(bench.draft("m-1")).ref
    bench.box.edit(ref.id, {"add_tag": {"name": "export", "salience": 0.9}})
    bench.box.edit(ref.id, {"add_tag": {"name": "hidden", "relevant": False, "salience": 0.9}})
    assert set(bench.tags(ref.id)) == {"export", "hidden"}
    connector.scan("ticket", None)
    called = {
        f"{method} {re.sub(r'/[0-9]+', '/{id}', below(url, '/v1'))}"
        for method, url in bench.faulty.calls
    }
    assert called == documented("scopeai")
    assert bench.forbidden() == []
    bench.http.close()
