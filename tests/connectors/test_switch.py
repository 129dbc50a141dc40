"""The Switch connector against the sandbox of its API, and the traps of that API one by one."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.connectors import build
from bridge.connectors.contract import Draft, Intent
from bridge.connectors.switch.capabilities import PRIORITIES, STATUSES
from bridge.connectors.switch.connector import SwitchConnector
from bridge.core.model.syncs import Secret, Webhook
from bridge.core.model.values import Ref
from bridge.errors import Refused, Unavailable
from bridge.http.client import Http
from bridge.sandbox.switch import SwitchSandbox
from bridge.sandbox.transport import WSGIAdapter
from tests.connectors.bench import KEY, Bench, Faulty, StillClock, a_marker, connection
from tests.connectors.contract import ConnectorContract
from tests.connectors.documented import below, documented
from tests.connectors.switch_bench import CustomerBench, document


class SwitchBench(Bench):
    def __init__(self, *, sandbox=SwitchSandbox, **options):
        self.clock = StillClock()
        self.box = sandbox(self.clock, 1, api_key=KEY, options=options)
        self.faulty = Faulty(WSGIAdapter(self.box, self.clock))
        self.settings = connection("switch", base_url="https://switch.example/api/v1")
        self.http = Http(self.settings, clock=self.clock, adapter=self.faulty)
        self.connector = build(self.settings, self.http)
        self._made = 0

    def add(self, count):
        made = []
        for _ in range(count):
            number = self._made = self._made + 1
            fields = {
                "subject": f"Ticket {number}",
                "customer_email": f"c{number}@customer.example",
                "status": STATUSES[number % len(STATUSES)],
                "priority": PRIORITIES[number % len(PRIORITIES)],
            }
            made.append(self.box.create(fields)["id"])
        return made

    def touch(self, remote_id):
        self.clock.sleep(1)
        self.box.edit(remote_id, {"status": "pending"})

    def remove(self, remote_id):
        self.box.delete(remote_id)

    def wait(self, seconds):
        self.clock.sleep(seconds)

    def draft(self, marker):
        values = {
            "subject": f"Made for {marker[-1]}",
            "description": "All of it",
            "customer_email": f"made{marker[-1]}@customer.example",
            "priority": "high",
            "tags": ["one", "Two"],
        }
        return Draft("ticket", values, marker)

    def values(self):
        return {
            "status": "in_progress",
            "priority": "urgent",
            "assignee_id": "usr_2",
            "tags": ["VIP", "billing"],
            "subject": "Another subject",
        }

    def shown(self, data, key):
        if key == "assignee_id":
            return (data["assignee"] or {}).get("id")
        return data["customer"]["email"] if key == "customer_email" else data[key]

    def side_effects(self):
        return copy.deepcopy([dict(row) for row in self.box.store])


@pytest.fixture
def bench():
    made = SwitchBench()
    yield made
    made.http.close()


class TestSwitch(ConnectorContract):
    system = "switch"


def test_listing_rows_are_partial_direct_reads_are_not(bench):
    (remote_id,) = bench.add(1)
    (row,) = bench.connector.changed("ticket", None).records
    assert row.partial
    assert "description" not in row.data
    whole = bench.connector.read("ticket", [remote_id])[remote_id]
    assert not whole.partial
    assert "description" in whole.data


def test_whole_seconds_are_dated_to_their_end(bench):
    bench.clock.sleep(0.9)
    (remote_id,) = bench.add(1)
    made = bench.clock.now()
    record = bench.connector.read("ticket", [remote_id])[remote_id]
    assert made <= record.changed_before <= made + timedelta(seconds=1)


def test_the_watermark_comes_from_rows_not_from_our_clock(bench):
    bench.add(2)
    at = bench.clock.now()
    bench.wait(5000)
    cursor = bench.connector.changed(
        "ticket", bench.connector.changed("ticket", None).cursor
    ).cursor
    assert cursor["from"] == (at - timedelta(minutes=5)).isoformat().replace("+00:00", "Z")


def test_a_second_that_no_listing_shows_whole_stops_the_poll_with_its_name(bench):
    for number in range(120):
        bench.box.create({"subject": f"Same {number}", "status": "new", "priority": "low"})
    page = bench.connector.changed("ticket", None)
    with pytest.raises(Unavailable, match="share the second 2026-11-23T12:00:00Z"):
        bench.connector.changed("ticket", page.cursor)


def test_a_quiet_poll_costs_one_call(bench):
    bench.add(3)
    page = bench.connector.changed("ticket", None)
    bench.connector.changed("ticket", page.cursor)
    assert len(bench.faulty.calls) == 1


def test_what_was_made_since_is_listed_over_pages_and_seconds(bench):
    bench.add(3)
    bench.wait(600)
    since, made = bench.clock.now(), []
    for number in range(250):
        if not number % 60:
            bench.wait(1)
        made.append(bench.box.create({"subject": f"Help {number}"})["id"])
    listed = {each.ref.id for each in bench.connector.made_since("ticket", since)}
    assert listed.issuperset(made)
    assert len(bench.faulty.calls) < 8


def test_what_was_made_since_is_no_answer_where_the_listing_does_not_come_to_that_time(bench):
    since = bench.clock.now()
    bench.wait(1)
    for number in range(120):  # in one second, which the cursor cannot pass
        bench.box.create({"subject": f"Same {number}"})
    with pytest.raises(Unavailable, match="does not come to 2026-11-23T12:00:00Z"):
        bench.connector.made_since("ticket", since)


def test_what_was_made_since_is_no_answer_where_the_order_is_ignored(bench):
    bench.add(2)
    since = bench.clock.now()
    bench.wait(5)
    bench.add(2)

    class Deaf(SwitchSandbox):
        def list_tickets(self, call):
            call.request.args = {"limit": call.query["limit"], "order_dir": "asc"}
            return super().list_tickets(call)

    bench.box.__class__ = Deaf
    with pytest.raises(Unavailable, match="not sorted"):
        bench.connector.made_since("ticket", since)


def test_a_404_that_is_not_the_vendors_own_deletes_nothing(bench):
    (remote_id,) = bench.add(1)
    bench.faulty.next = ["404"]
    with pytest.raises(Unavailable, match="check base_url"):
        bench.connector.read("ticket", [remote_id])
    bench.faulty.next = ["404"]
    with pytest.raises(Unavailable, match="check base_url"):
        bench.connector.changed("ticket", None)


@pytest.mark.provokes  # the sandbox takes the id for a path that no document has
def test_ids_are_quoted_into_the_path(bench):
    assert bench.connector.read("ticket", ["../users/usr_1"]) == {"../users/usr_1": None}
    assert bench.faulty.calls == [
        ("GET", "https://switch.example/api/v1/tickets/..%2Fusers%2Fusr_1")
    ]


def test_a_write_of_tags_takes_our_marker_off_and_hides_it_before(bench):
    marker = a_marker(bench.connector, 1)
    made = bench.connector.create(bench.draft(marker))
    assert f"bridge-{marker}" in bench.box.store.get(made.ref.id)["tags"]
    assert made.data["tags"] == ["one", "Two"]
    after = bench.connector.update(made.ref, "patch", {"tags": ("one",)})
    assert (after.marker, after.data["tags"]) == (None, ["one"])
    assert bench.box.store.get(made.ref.id)["tags"] == ["one"]


def test_on_first_contact_all_of_a_customer_is_found_and_after_a_create_what_has_its_subject(bench):
    twin = {"subject": " help NEEDED ", "customer_email": "ann@customer.example"}
    by_hand = bench.box.create(twin)["id"]
    other = bench.box.create({**twin, "subject": "Something else"})["id"]
    bench.box.create({**twin, "customer_email": "bo@customer.example"})
    draft = Draft(
        "ticket", {"subject": "Help needed", "customer_email": "Ann@customer.example"}, "m-7"
    )
    assert {each.ref.id for each in bench.connector.find(Intent(draft, None))} == {by_hand, other}
    assert [each.ref.id for each in bench.connector.find(Intent(draft, bench.clock.now()))] == [
        by_hand
    ]
    marked = bench.connector.create(
        replace(draft, marker=a_marker(bench.connector, 8), values={**twin})
    )
    found = bench.connector.find(Intent(draft, bench.clock.now()))
    assert marked.ref.id not in [each.ref.id for each in found]
    bench.wait(3600)
    assert bench.connector.find(Intent(draft, bench.clock.now())) == []


def test_on_first_contact_no_marker_is_looked_for(bench):
    bench.box.create({"subject": "Help", "customer_email": "ann@customer.example"})
    draft = Draft("ticket", {"subject": "Help", "customer_email": "ann@customer.example"}, "")
    assert len(bench.connector.find(Intent(draft, None))) == 1
    assert [url for _, url in bench.faulty.calls if "tags=" in url] == []


def test_the_tag_filter_is_not_trusted(bench):
    bench.add(3)
    draft = bench.draft("m-9")
    made = bench.connector.create(draft)

    class Deaf(SwitchSandbox):
        def list_tickets(self, call):
            call.request.args = {key: value for key, value in call.query.items() if key != "tags"}
            return super().list_tickets(call)

    bench.box.__class__ = Deaf
    assert [each.ref for each in bench.connector.find(Intent(draft, made.read_at))] == [made.ref]


@pytest.mark.provokes
def test_refusals_say_why(bench):
    (remote_id,) = bench.add(1)
    with pytest.raises(Refused, match="Invalid status: paused"):
        bench.connector.update(Ref("my-switch", "ticket", remote_id), "patch", {"status": "paused"})


def test_probe_sees_whether_a_listing_can_begin_anywhere(bench):
    assert bench.connector.probe() == {"cursor": None}
    bench.add(1)
    bench.wait(100)
    bench.add(1)
    assert bench.connector.probe() == {"cursor": True}


def test_paths_in_the_body_are_configurable():
    webhook = Webhook(
        "hmac-sha256", (Secret("x"),), event="kind", id="object.number", delivery="X-Number"
    )
    connector = SwitchConnector(connection("switch", webhook=webhook), None)
    parsed = connector.parse(
        {"x-number": "n1"}, {"kind": "ticket.updated", "object": {"number": 12}}
    )
    assert (parsed.hints[0].id, parsed.delivery) == ("12", "ticket.updated:12:n1")


def test_a_nested_ticket_is_found_too(bench):
    parsed = bench.connector.parse(
        {}, {"event": "ticket.updated", "data": {"ticket": {"id": "t1"}}}
    )
    assert parsed.hints[0].id == "t1"
    assert json.dumps(parsed.projection) == '{"event": "ticket.updated", "id": "t1"}'


def test_documented_calls():
    bench = CustomerBench()
    connector = bench.connector
    bench.box.catalogues["tag"].put({"id": "tag_1", "name": "billing"})
    bench.box.catalogues["article"].put({"id": "art_1", "title": "How to"})
    customer = connector.create(bench.draft("m-1"))
    connector.update(customer.ref, "patch", {"name": "Ann"})
    note = connector.create(Draft("message", {"ticket_id": bench.ticket, "content": "x"}, "m-2"))
    ticket = connector.create(Draft("ticket", document("ticket_sent"), "m-3"))
    connector.update(ticket.ref, "patch", {"status": "open"})
    connector.delete(ticket.ref)
    for entity in ("ticket", "message", "customer", "agent", "tag", "article"):
        connector.scan(entity, None)
    one = {
        "ticket": bench.ticket,
        "message": note.ref.id,
        "customer": customer.ref.id,
        "agent": "usr_1",
        "tag": "tag_1",
        "article": "art_1",
    }
    for entity, remote_id in one.items():
        assert connector.read(entity, [remote_id])[remote_id] is not None
    assert set(_calls(bench)) == documented("switch")
    assert not [entry.note for entry in bench.box.journal.since() if entry.note]
    bench.http.close()


def _calls(bench):
    for method, url in bench.faulty.calls:
        *parts, last = below(url, "/api/v1").rstrip("/").split("/")
        yield f"{method} " + "/".join([*parts, "{id}" if "_" in last or "-" in last else last])
