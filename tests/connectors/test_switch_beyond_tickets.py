"""Conversations, sessions, customers and catalogues of Switch, and its document's own examples."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from bridge.connectors.contract import Draft, Intent
from bridge.connectors.switch.connector import SwitchConnector
from bridge.errors import Refused, Unavailable, UnknownOutcome, Unsupported
from bridge.sandbox.store import Store, seconds_iso
from tests.connectors.bench import connection
from tests.connectors.contract import ConnectorContract
from tests.connectors.switch_bench import CustomerBench, MessageBench, saying


@pytest.fixture
def messages():
    made = MessageBench()
    yield made
    made.http.close()


@pytest.fixture
def customers():
    made = CustomerBench()
    yield made
    made.http.close()


class Unmarked(ConnectorContract):
    """For records that carry no marker: they are found by what they are."""

    system = "switch"

    def test_a_create_shows_its_values_and_hides_its_marker(self, bench):
        draft = bench.draft("m-0001")
        record = bench.connector.create(draft)
        assert record is not None
        read = self.read(bench, [record.ref.id])[record.ref.id]
        assert (record.marker, read.marker) == (None, None)
        for key, value in draft.values.items():
            assert bench.shown(read.data, key) == value, key

    def test_a_create_is_found_by_its_marker_and_by_its_nature(self, bench):
        bench.add(3)
        draft = bench.draft("m-0001")
        made = bench.connector.create(draft)
        found = bench.connector.find(Intent(draft, made.read_at))
        assert [(each.ref, each.marker) for each in found] == [(made.ref, "m-0001")]
        assert [(each.ref, each.marker) for each in bench.connector.find(Intent(draft, None))] == [
            (made.ref, None)
        ]
        other = bench.draft("m-0002")
        assert bench.connector.find(Intent(other, made.read_at)) == []
        assert bench.connector.find(Intent(other, None)) == []


class TestSwitchMessages(Unmarked):
    entity = "message"

    @pytest.fixture
    def bench(self, messages):
        return messages

    def test_changed_goes_on_from_its_watermark(self, bench):
        """Nothing of a conversation changes: only new ones are to be seen."""
        ids = bench.add(7)
        _, cursor = self.poll(bench, None)
        bench.wait(3600)
        fresh = bench.add(3)
        seen, cursor = self.poll(bench, cursor)
        assert set(fresh) <= set(seen)
        bench.wait(3600)
        later = bench.add(1)
        seen, _ = self.poll(bench, cursor)
        assert set(later) <= set(seen)
        assert ids[0] not in seen

    def test_changed_gives_rows_that_move_while_it_runs(self, bench):
        ids = []
        for _ in range(15):
            ids += bench.add(10)
            bench.wait(3)
        page = bench.connector.changed("message", None)
        late = bench.add(2)
        bench.remove(ids[0])
        seen, cursor = self.poll(bench, json.loads(json.dumps(page.cursor)))
        # The newest come first, so that what is said meanwhile is the next poll's.
        assert set(ids[1:]) <= {record.ref.id for record in page.records} | set(seen)
        assert set(late) <= set(self.poll(bench, cursor)[0])


class TestSwitchCustomers(Unmarked):
    """On a deployment whose customers show when they were changed."""

    entity = "customer"

    @pytest.fixture
    def bench(self, customers):
        customers.box.configure({"customers_dated": True})
        customers.box.others["customer"].drop(next(iter(customers.box.others["customer"]))["id"])
        return customers

    def test_changed_misses_nothing_among_ties(self, bench):
        """No filter divides a second with more customers than a page: that is told."""
        ids = set(bench.add(99))
        bench.wait(30)
        ids |= set(bench.add(99))
        bench.wait(30)
        ids |= set(bench.add(5))
        assert ids <= set(self.poll(bench, None)[0])
        bench.wait(30)
        bench.add(150)
        with pytest.raises(Unavailable, match="more than 100 customers share the second"):
            self.poll(bench, None)

    def test_scan_lists_everything_while_rows_come_go_and_move(self, bench):
        ids = []
        for _ in range(30):
            ids += bench.add(10)
            bench.wait(3)
        page = bench.connector.scan("customer", None)
        seen = {record.ref.id for record in page.records}
        for remote_id in ids[:30]:
            bench.remove(remote_id)
        bench.touch(ids[40])
        cursor = page.cursor
        while cursor is not None:
            page = bench.connector.scan("customer", json.loads(json.dumps(cursor)))
            seen |= {record.ref.id for record in page.records}
            cursor = page.cursor
        assert set(ids[30:]) <= seen


# Conversations


def test_what_the_bridge_says_stays_among_agents_unless_it_is_told_otherwise(messages):
    said = messages.connector.create(messages.draft("m-1"))
    assert (said.data["type"], said.data["internal"]) == ("note", True)
    assert not [entry.note for entry in messages.box.journal.since() if entry.note]
    draft = messages.draft("m-2")
    open_ = Draft("message", {**draft.values, "type": "reply", "internal": False}, "m-2")
    assert messages.connector.create(open_).data["internal"] is False
    assert messages.box.journal.since()[-1].note == "reply: went to the customer"
    for internal, kind in ((False, "reply"), (True, "note"), (None, "note")):
        words = {"ticket_id": messages.ticket, "content": f"{internal}", "internal": internal}
        made = messages.connector.create(Draft("message", words, "m-3"))
        assert (made.data["type"], made.data["internal"]) == (kind, internal is not False)


def test_a_session_is_an_internal_note_whatever_is_said_and_no_listing_gives_it(messages):
    values = {"ticket_id": messages.ticket, "content": "Screen shared"}
    made = messages.connector.create(Draft("session", values, "s-1"))
    row = messages.box.others["message"].get(made.ref.id)
    assert (made.ref.entity, row["type"], row["internal"]) == ("session", "note", True)
    assert messages.connector.read("session", [made.ref.id, "no"])["no"] is None
    assert (
        messages.connector.read("session", [made.ref.id])[made.ref.id].data["content_text"]
        == "Screen shared"
    )
    assert messages.connector.scan("session", None) == messages.connector.scan("session", None)
    assert (
        messages.connector.scan("session", None).records
        == messages.connector.changed("session", None).records
        == []
    )
    with pytest.raises(Unsupported):
        messages.connector.create(Draft("session", {**values, "internal": False}, "s-2"))


@pytest.mark.parametrize("entity", ["message", "session"])
@pytest.mark.parametrize("fault", ["timeout-after", "502-after"])
def test_a_note_of_unknown_fate_is_found_by_its_words(messages, entity, fault):
    messages.add(3)
    draft = Draft(
        entity, {"ticket_id": messages.ticket, "content": "Line one\r\nline two \n"}, "m-3"
    )
    messages.faulty.next = [fault]
    with pytest.raises(UnknownOutcome):
        messages.connector.create(draft)
    (found,) = messages.connector.find(Intent(draft, messages.clock.now()))
    assert (found.marker, found.ref.entity) == ("m-3", entity)


def test_the_same_words_elsewhere_earlier_or_in_the_open_are_not_the_same_note(messages):
    draft = Draft("message", {"ticket_id": messages.ticket, "content": "Thanks"}, "m-4")
    other = messages.box.create({"subject": "Another"})["id"]
    messages.box.note(messages.ticket, "Thanks")
    messages.wait(3600)
    messages.box.note(other, "Thanks")
    messages.box.message(messages.ticket, "Thanks")
    messages.box.note(messages.ticket, "Thanks a lot")
    assert messages.connector.find(Intent(draft, messages.clock.now())) == []


def test_of_two_equal_notes_the_newest_is_taken(messages):
    draft = Draft("message", {"ticket_id": messages.ticket, "content": "Thanks"}, "m-4")
    messages.connector.create(draft)
    messages.wait(2)
    second = messages.connector.create(draft)
    assert [each.ref for each in messages.connector.find(Intent(draft, messages.clock.now()))] == [
        second.ref
    ]


def test_a_second_full_of_conversations_is_listed_by_type_and_audience(messages):
    ids = {messages.box.note(messages.ticket, f"n{n}")["id"] for n in range(90)}
    ids |= {messages.box.message(messages.ticket, f"r{n}")["id"] for n in range(90)}
    page, seen = messages.connector.scan("message", None), set()
    while page.cursor is not None:
        seen |= {record.ref.id for record in page.records}
        page = messages.connector.scan("message", page.cursor)
    assert ids <= seen


def test_a_conversation_is_never_changed_or_deleted(messages):
    (remote_id,) = messages.add(1)
    with pytest.raises(Unsupported):
        messages.connector.update(messages.ref(remote_id), "patch", {"content": "x"})
    with pytest.raises(Unsupported):
        messages.connector.delete(messages.ref(remote_id))
    assert messages.writes() == []


# Customers


def test_tags_go_to_custom_fields_and_whatever_else_is_there_stays(customers):
    (remote_id,) = customers.add(1)
    assert customers.connector.read("customer", [remote_id])[remote_id].data["custom_fields"] == {
        "tags": []
    }
    customers.box.edit_customer(remote_id, {"custom_fields": {"plan": "gold", "tags": ["old"]}})
    shown = customers.connector.update(
        customers.ref(remote_id), "patch", {"custom_fields.tags": ("vip",)}
    )
    assert shown.data["custom_fields"] == {"plan": "gold", "tags": ["vip"]}
    customers.connector.update(customers.ref(remote_id), "patch", {"custom_fields.tags": ()})
    assert customers.box.others["customer"].get(remote_id)["custom_fields"] == {
        "plan": "gold",
        "tags": [],
    }


def test_a_deployment_that_ignores_custom_fields_shows_that_it_does(customers):
    (remote_id,) = customers.add(1)
    customers.box.configure({"patch_custom_fields": False})
    shown = customers.connector.update(
        customers.ref(remote_id), "patch", {"custom_fields.tags": ["vip"]}
    )
    assert shown.data["custom_fields"]["tags"] == []


def test_somebody_elses_field_of_that_name_is_not_overwritten(customers):
    (remote_id,) = customers.add(1)
    customers.box.edit_customer(remote_id, {"custom_fields": {"tags": "gold, silver"}})
    with pytest.raises(Refused, match="rename that field"):
        customers.connector.update(
            customers.ref(remote_id), "patch", {"custom_fields.tags": ["vip"]}
        )
    assert customers.writes() == []


def test_customers_without_a_time_of_change_are_polled_for_new_ones(customers):
    customers.add(3)
    page = customers.connector.changed("customer", None)
    assert len(page.records) == 4
    assert page.records[0].changed_before is None
    page = customers.connector.changed("customer", page.cursor)
    customers.wait(3600)
    (fresh,) = customers.add(1)
    calls = len(customers.faulty.calls)
    page = customers.connector.changed("customer", page.cursor)
    assert fresh in {record.ref.id for record in page.records}
    assert len(customers.faulty.calls) == calls + 1  # what to poll by is found out once


def test_a_customer_is_found_in_any_case_and_never_deleted(customers):
    remote_id = customers.box.customer_of("Ann.Smith@customer.example", "")["id"]
    draft = Draft("customer", {"email": "ann.smith@CUSTOMER.example"}, "m-1")
    assert [each.ref.id for each in customers.connector.find(Intent(draft, None))] == [remote_id]
    with pytest.raises(Unsupported, match="cannot delete a customer"):
        customers.connector.delete(customers.ref(remote_id))
    assert customers.writes() == []


# Catalogues and people


def test_agents_tags_and_articles_are_listed_and_never_written():
    bench = MessageBench()
    for entity, count in (("agent", 5), ("tag", 0), ("article", 0)):
        page = bench.connector.scan(entity, None)
        assert (len(page.records), page.cursor) == (count, None)
        with pytest.raises(Unsupported):
            bench.connector.create(Draft(entity, {}, "m"))
        with pytest.raises(Unsupported):
            bench.connector.update(bench.ref("x", entity), "patch", {"name": "x"})
        with pytest.raises(Unsupported):
            bench.connector.delete(bench.ref("x", entity))
    (agent,) = bench.connector.read("agent", ["usr_1"]).values()
    assert [(each.id, each.email, each.name) for each in agent.people] == [
        ("usr_1", "mary@support.example", "Mary Bishop")
    ]
    assert bench.connector.read("article", ["none"]) == {"none": None}
    with pytest.raises(Unsupported, match="no invoice"):
        bench.connector.read("invoice", ["1"])
    bench.http.close()


def test_a_catalogue_is_followed_page_by_page_and_must_get_on():
    bench = MessageBench()
    seen, cursor = [], None
    bench.box.catalogues["tag"] = _numbered(130, bench.clock)
    for _ in range(3):
        page = bench.connector.scan("tag", cursor)
        seen += [record.ref.id for record in page.records]
        cursor = page.cursor
        if cursor is None:
            break
    assert len(set(seen)) == 130
    connector, _ = saying(
        {"data": [{"id": "tag_1"}], "meta": {"next_cursor": "2025-01-15T10:30:00Z"}}
    )
    page = connector.scan("tag", None)
    with pytest.raises(Unavailable, match="does not get past"):
        connector.scan("tag", page.cursor)
    bench.http.close()


def _numbered(count, clock):
    store = Store(clock)
    for number in range(count):
        at = seconds_iso(clock.now() - timedelta(minutes=number))
        store.put({"id": f"tag_{number}", "name": f"t{number}", "created_at": at})
    return store


def test_assignees_with_an_address_are_told_of(messages):
    messages.box.edit(messages.ticket, {"assignee_id": "usr_2"})
    record = messages.connector.read("ticket", [messages.ticket])[messages.ticket]
    assert [(each.id, each.email) for each in record.people] == [("usr_2", "jonas@support.example")]


# Webhooks


@pytest.mark.parametrize(
    ("event", "data", "entity"),
    [
        ("conversation.created", {"id": "conv_1", "ticket_id": "t"}, "message"),
        ("conversation.something_new", {"conversation": {"id": "conv_1"}}, "message"),
        ("customer.merged", {"customer": {"id": "conv_1"}}, "customer"),
        ("ticket.snoozed", {"id": "conv_1"}, "ticket"),
    ],
)
def test_whatever_is_said_of_a_known_noun_is_a_hint(event, data, entity):
    parsed = SwitchConnector(connection("switch"), None).parse({}, {"event": event, "data": data})
    assert [(hint.entity, hint.id) for hint in parsed.hints] == [(entity, "conv_1")]


@pytest.mark.parametrize("event", ["ticket", "tickets.created", "user.created", ".created"])
def test_other_nouns_are_not(event):
    parsed = SwitchConnector(connection("switch"), None).parse(
        {}, {"event": event, "data": {"id": "1"}}
    )
    assert parsed.hints == ()
