"""The PostHog connector against the sandbox of its API, and the traps of that API one by one."""

from __future__ import annotations

import copy
import uuid

import pytest

from bridge.connectors import build
from bridge.connectors.contract import Draft, Intent
from bridge.connectors.posthog.connector import PostHogConnector
from bridge.core.model.syncs import Secret, Webhook
from bridge.core.model.values import Ref
from bridge.errors import Refused, Unavailable, UnknownOutcome
from bridge.http.client import Http
from bridge.sandbox.posthog import PostHogSandbox
from bridge.sandbox.transport import WSGIAdapter
from tests.connectors.bench import KEY, Bench, Faulty, StillClock, a_marker, connection
from tests.connectors.contract import ConnectorContract
from tests.connectors.documented import below, documented


class PostHogBench(Bench):
    def __init__(self, *, sandbox=PostHogSandbox, **options):
        self.clock = StillClock()
        self.box = sandbox(self.clock, 1, api_key=KEY, options=options)
        self.faulty = Faulty(WSGIAdapter(self.box, self.clock))
        project = {"project_id": str(self.box.options["project_id"])}
        self.settings = connection("posthog", options=project)
        self.http = Http(self.settings, clock=self.clock, adapter=self.faulty)
        self.connector = build(self.settings, self.http)
        self._made = 0

    def add(self, count):
        made = []
        for _ in range(count):
            self._made += 1
            traits = {"email": f"c{self._made}@customer.example"}
            made.append(self.box.create({"anonymous_traits": traits, "unread_team_count": 1})["id"])
        return made

    def touch(self, remote_id):
        self.clock.sleep(0.001)
        self.box.edit(remote_id, {"status": "pending"})

    def remove(self, remote_id):
        self.box.delete(remote_id)

    def wait(self, seconds):
        self.clock.sleep(seconds)

    def draft(self, marker):
        values = {
            "status": "open",
            "priority": "high",
            "ai_resolved": True,
            "escalation_reason": "Angry",
            "anonymous_traits.name": "Ann",
            "anonymous_traits.email": f"ann{marker[-1]}@customer.example",
            "anonymous_traits.subject": "Help",
            "anonymous_traits.description": "All of it",
        }
        return Draft("ticket", values, marker)

    def values(self):
        return {
            "status": "on_hold",
            "priority": "critical",
            "assignee": "user:12",
            "tags": ["billing", "vip"],
            "ai_resolved": True,
            "escalation_reason": "Asked twice",
        }

    def shown(self, data, key):
        first, _, rest = key.partition(".")
        return data[first][rest] if rest else data[first]

    def side_effects(self):
        return copy.deepcopy([dict(row) for row in self.box.store])


@pytest.fixture
def bench():
    made = PostHogBench()
    yield made
    made.http.close()


@pytest.fixture
def other():
    made = []

    def make(**options):
        made.append(PostHogBench(**options))
        return made[-1]

    yield make
    for each in made:
        each.http.close()


class TestPostHog(ConnectorContract):
    system = "posthog"


def ref(remote_id):
    return Ref("my-posthog", "ticket", remote_id)


def test_nothing_is_ever_marked_as_read(bench):
    ids = bench.add(3)
    bench.connector.read("ticket", ids)
    bench.connector.changed("ticket", None)
    bench.connector.scan("ticket", None)
    bench.connector.find(Intent(bench.draft("m-1"), bench.clock.now()))
    bench.connector.probe()
    bench.connector.ping()
    bench.connector.update(ref(ids[0]), "patch", {"status": "open"})
    listing = "/conversations/tickets/"
    assert all(listing + "?" in url for method, url in bench.faulty.calls if method == "GET")
    assert {row["unread_team_count"] for row in bench.box.store} == {1}


@pytest.mark.parametrize("supported", [True, False])
def test_reads_a_batch_with_or_without_ids(other, supported):
    bench = other(ids_supported=supported)
    ids = bench.add(230)
    missing = str(uuid.UUID(int=7))
    wanted = [*ids[:3], ids[117], ids[-1], missing, "no-uuid", "311"]
    found = bench.connector.read("ticket", wanted)
    assert list(found) == wanted
    assert [each for each in wanted if found[each] is None] == [missing, "no-uuid", "311"]
    assert all(found[each].ref.id == each for each in wanted[:5])


def test_an_id_that_can_be_none_costs_no_call(bench):
    bench.add(1)
    assert bench.connector.read("ticket", ["tkt_1,tkt_2"]) == {"tkt_1,tkt_2": None}
    assert bench.faulty.calls == []


def test_an_empty_set_of_tags_says_nothing_until_a_tag_is_shown_beside_it(bench):
    first, second = bench.add(2)
    record = bench.connector.read("ticket", [first])[first]
    assert "licensed" in record.unreadable["tags"]
    bench.box.edit(second, {"tags": ["billing"]})
    found = bench.connector.read("ticket", [first, second])
    assert found[first].unreadable == {}
    assert found[first].data["tags"] == []


def test_a_licence_can_be_declared_or_probed(other):
    unlicensed = other(tags_licensed=False)
    unlicensed.box.edit(unlicensed.add(1)[0], {"tags": ["x"]})
    assert unlicensed.connector.probe()["tags"] is None
    bench = other()
    (remote_id,) = bench.add(1)
    declared = connection("posthog", options={**bench.settings.options, "tags_licensed": True})
    connector = PostHogConnector(declared, bench.http)
    assert connector.read("ticket", [remote_id])[remote_id].unreadable == {}
    bench.box.edit(remote_id, {"tags": ["x"]})
    assert bench.connector.probe()["tags"] is True


def test_a_write_of_tags_without_a_licence_is_not_believed(other):
    bench = other(tags_licensed=False)
    (remote_id,) = bench.add(1)
    answered = bench.connector.update(ref(remote_id), "patch", {"tags": ["vip"]})
    assert "tags" in answered.unreadable


@pytest.mark.parametrize("raw", ["user:12", "role:0198f3a1-6f0e-7c3b-9a51-2b7d4e1c8f60", None])
def test_assignees_round_trip(bench, raw):
    (remote_id,) = bench.add(1)
    answered = bench.connector.update(ref(remote_id), "patch", {"assignee": raw})
    assert answered.data["assignee"] == raw


@pytest.mark.parametrize("raw", ["12", "user:", "user:x", "role:12", "team:1", "user:²", 12])
def test_an_assignee_in_another_form_is_refused_before_the_call(bench, raw):
    with pytest.raises(Refused, match="assignee"):
        bench.connector.update(ref(bench.add(1)[0]), "patch", {"assignee": raw})
    assert bench.faulty.calls == []


def test_a_refused_post_is_refused_with_its_status(other):
    bench = other(post=405)
    with pytest.raises(Refused) as error:
        bench.connector.create(bench.draft("m-1"))
    assert error.value.status == 405


def test_a_second_500_of_nothing_is_a_refusal_the_first_is_not(other):
    bench = other(post=500)
    with pytest.raises(UnknownOutcome):
        bench.connector.create(bench.draft("m-1"))
    with pytest.raises(UnknownOutcome):  # at the same moment: a bad moment, not a refusal
        bench.connector.create(bench.draft("m-2"))
    bench.clock.sleep(5)
    with pytest.raises(Refused, match="takes none") as error:
        bench.connector.create(bench.draft("m-3"))
    assert error.value.status == 500


def test_a_500_that_created_all_the_same_is_found(bench):
    for marker in ("m-1", "m-2"):
        bench.faulty.next = ["500-after"]
        if marker == "m-1":
            with pytest.raises(UnknownOutcome):
                bench.connector.create(bench.draft(marker))
        else:
            bench.clock.sleep(5)
            assert bench.connector.create(bench.draft(marker)).marker == "m-2"


def test_after_one_success_a_500_is_only_a_500(bench):
    bench.connector.create(bench.draft("m-0"))
    for marker in ("m-1", "m-2"):
        bench.faulty.next = ["500"]
        with pytest.raises(UnknownOutcome):
            bench.connector.create(bench.draft(marker))


def test_what_another_worker_has_created_makes_a_500_no_refusal_either(other):
    bench = other(post=500)
    bench.connector.findings.keep("create ticket", "a record was created")
    for marker in ("m-1", "m-2"):
        with pytest.raises(UnknownOutcome):
            bench.connector.create(bench.draft(marker))
        bench.clock.sleep(6)


def test_the_same_customer_is_found_unless_somebody_else_made_the_ticket(bench):
    by_hand = bench.box.create({"anonymous_traits": {"email": "Ann@customer.example"}})["id"]
    draft = Draft("ticket", {"anonymous_traits.email": "ann@customer.example"}, "m-7")
    assert [each.ref.id for each in bench.connector.find(Intent(draft, None))] == [by_hand]
    bench.connector.create(Draft("ticket", draft.values, a_marker(bench.connector, 8)))
    assert [each.ref.id for each in bench.connector.find(Intent(draft, bench.clock.now()))] == [
        by_hand
    ]


def test_what_was_made_since_is_listed_over_pages_or_not_at_all(bench):
    bench.add(3)
    bench.wait(600)
    since, made = bench.clock.now(), []
    for number in range(250):
        bench.wait(0.01)
        traits = {"email": f"c{number}@customer.example"}
        made.append(bench.box.create({"anonymous_traits": traits})["id"])
    listed = {each.ref.id for each in bench.connector.made_since("ticket", since)}
    assert listed.issuperset(made)

    class Deaf(PostHogSandbox):
        def list_tickets(self, call, project_id):
            call.request.args = {"limit": call.query["limit"], "order_by": "created_at"}
            return super().list_tickets(call, project_id)

    bench.box.__class__ = Deaf
    with pytest.raises(Unavailable, match="not sorted"):
        bench.connector.made_since("ticket", since)


def test_a_listing_that_ignores_what_was_asked_stops_the_poll(bench):
    bench.add(1)
    bench.wait(7200)
    bench.add(1)

    class Deaf(PostHogSandbox):
        def list_tickets(self, call, project_id):
            call.request.args = {"limit": call.query["limit"]}
            return super().list_tickets(call, project_id)

    bench.box.__class__ = Deaf
    with pytest.raises(Unavailable, match="not sorted"):
        bench.connector.changed("ticket", None)
    bench.box.delete(next(iter(bench.box.store))["id"])
    bench.wait(1)
    with pytest.raises(Unavailable, match="date_from"):
        bench.connector.changed("ticket", {"from": "2026-11-24T00:00:00Z"})


def test_a_message_dated_back_is_still_polled(bench):
    (remote_id,) = bench.add(1)
    bench.wait(60)
    bench.add(1)
    cursor = bench.connector.changed(
        "ticket", bench.connector.changed("ticket", None).cursor
    ).cursor
    bench.box.message(remote_id, "Hello?", seconds_ago=300)
    assert remote_id in {
        record.ref.id for record in bench.connector.changed("ticket", cursor).records
    }


def test_a_wrong_project_is_named_not_taken_for_deletion(bench):
    (remote_id,) = bench.add(1)
    settings = connection("posthog", options={"project_id": "99999999"})
    elsewhere = PostHogConnector(settings, bench.http)
    bench.faulty.next = ["404"]
    with pytest.raises(Unavailable, match="project_id"):
        elsewhere.read("ticket", [remote_id])


def test_a_signed_delivery_id_is_the_key_else_the_uuid_within_event_and_ticket():
    body = {
        "event": {
            "uuid": "u1",
            "event": "$conversation_ticket_created",
            "properties": {"ticket_id": "t1"},
        }
    }
    signed = connection("posthog", webhook=Webhook("standard-webhooks", (Secret("x"),)))
    unsigned = connection(
        "posthog", webhook=Webhook("static-header", (Secret("x"),), header="X-Key")
    )
    headers = {"webhook-id": "msg_1"}
    assert PostHogConnector(signed, None).parse(headers, body).delivery == "msg_1"
    expected = "$conversation_ticket_created:t1:u1"
    assert PostHogConnector(unsigned, None).parse(headers, body).delivery == expected


def test_documented_calls():
    bench = PostHogBench()
    connector = bench.connector
    created = connector.create(bench.draft("m-1"))
    connector.read("ticket", [created.ref.id])
    connector.changed("ticket", None)
    connector.find(Intent(bench.draft("m-1"), bench.clock.now()))
    connector.update(Ref("my-posthog", "ticket", created.ref.id), "patch", {"status": "open"})
    connector.account_metrics()
    connector.delete(created.ref)
    root = "/api/projects/:project_id/conversations/tickets"
    calls = {call.replace(root, "") for call in documented("posthog")}
    assert set(_calls(bench)) == calls
    assert not [entry.note for entry in bench.box.journal.since() if entry.note]
    bench.http.close()


def _calls(bench):
    for method, url in bench.faulty.calls:
        rest = below(url, "/conversations/tickets").strip("/")
        yield f"{method} " + (f"/{rest}" if rest == "unread_count" else "/:id" if rest else "")
