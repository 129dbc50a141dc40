"""The Zaia connector against the sandbox of its API, and the traps of that API one by one."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.connectors import build
from bridge.connectors.base import Draft, Intent, Person
from bridge.connectors.zaia import ZaiaConnector
from bridge.connectors.zaia_pages import BACK, START, Tags, following, joined
from bridge.core.values import Ref
from bridge.errors import AlreadyExists, ConfigError, NotFound, Refused, Unauthorised, Unavailable, UnknownOutcome
from bridge.http import Http
from bridge.sandbox import population
from bridge.sandbox.transport import WSGIAdapter
from bridge.sandbox.zaia import ZaiaSandbox
from bridge.sandbox.zaia_rows import SERVICE_USER
from tests.connectors.bench import FIXTURES, KEY, Bench, Faulty, StillClock, connection
from tests.connectors.contract import ConnectorContract

MARY, JONAS = (agent.ids["zaia"] for agent in population.AGENTS[:2])
WORDS = ("pending", "ongoing", "completed")


class ZaiaBench(Bench):
    shows = frozenset({"status", "assigneeId", "summary", "ownerEmail"})
    change = ("assign", {"assigneeId": MARY})

    def __init__(self, box_options=None, **options):
        self.clock = StillClock()
        self.box = ZaiaSandbox(self.clock, 1, api_key=KEY, options=box_options)
        self.faulty = Faulty(WSGIAdapter(self.box, self.clock))
        given = {"service_user": SERVICE_USER, "tag_listing": True, **options}
        self.settings = connection("zaia", options=given)
        self.http = Http(self.settings, clock=self.clock, adapter=self.faulty)
        self.connector = build(self.settings, self.http)
        self._made = 0

    def add(self, count):
        return [self.make(status=WORDS[number % 3]) for number in range(count)]

    def make(self, **fields):
        self._made += 1
        base = {"summary": f"Ticket {self._made}", "ownerEmail": f"c{self._made}@customer.example"}
        return self.box.create({**base, **fields})["id"]

    def touch(self, remote_id):
        self.clock.sleep(1)
        status = self.box.store.get(remote_id)["status"]
        following = WORDS[min(WORDS.index(status) + 1, 2)]
        fields = {"status": following} if following != status else {"assigneeId": JONAS}
        self.box.edit(remote_id, fields)

    def remove(self, remote_id):
        self.box.delete(remote_id)

    def wait(self, seconds):
        self.clock.sleep(seconds)

    def draft(self, marker):
        chat = self.box.open_chat("chat@customer.example", "About a chat")
        return Draft("ticket", {"chatId": chat, "assigneeId": MARY, "status": "pending"}, marker)

    def values(self):
        return {"status": "ongoing", "assigneeId": MARY, "tags": "VIP"}

    def shown(self, data, key):
        return data[key]

    def side_effects(self):
        return copy.deepcopy([dict(row) for row in self.box.store])

    def ref(self, remote_id):
        return Ref("my-zaia", "ticket", remote_id)

    def update(self, remote_id, verb, **values):
        return self.connector.update(self.ref(remote_id), verb, values)

    def now(self, remote_id):
        return self.box.store.get(remote_id)

    def writes(self):
        return [row for row in self.faulty.calls if row[0] != "GET"]

    def notes(self):
        return [entry.note for entry in self.box.journal.since() if entry.note]

    def scan(self):
        seen, cursor = {}, None
        for _ in range(300):
            page = self.connector.scan("ticket", cursor)
            seen |= {record.ref.id: record for record in page.records}
            cursor = json.loads(json.dumps(page.cursor))
            if cursor is None:
                return seen
        raise AssertionError("the listing does not end")

    def tags(self):
        return {key: record.data.get("tags", record.unreadable.get("tags")) for key, record in self.scan().items()}


@pytest.fixture
def bench():
    made = ZaiaBench()
    yield made
    made.http.close()


class TestZaia(ConnectorContract):
    system = "zaia"

    def test_declared_fields_round_trip(self, bench):
        """Every verb does one thing of its own here; tags are seen in the sandbox, for no read shows them."""
        bench.box.edit(bench.make(), {"tags": ["VIP", "old"]})
        one = bench.make(status="pending", tags=["old"])
        bench.update(one, "takeover", status="ongoing", assigneeId=MARY)
        assert (bench.now(one)["status"], bench.now(one)["assignee"]["id"]) == ("ongoing", MARY)
        bench.update(one, "assign", assigneeId=JONAS)
        bench.update(one, "attach", tags="vip")
        bench.update(one, "detach", tags="old")
        bench.update(one, "complete", status="completed")
        row = self.read(bench, [one])[one].data
        assert (row["status"], row["assigneeId"], bench.now(one)["tags"]) == ("completed", JONAS, ["VIP"])


# Configuration


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"statuses": ["a", "b"]}, "statuses"),
        ({"statuses": ["a", "b", "b"]}, "statuses"),
        ({"statuses": "abc"}, "statuses"),
        ({"statuses": ["a", 1, "c"]}, "statuses"),
        ({"service_user": "me"}, "service_user"),
        ({"tags": {"VIP": "no"}}, "tags.VIP"),
        ({"tags": ["VIP"]}, "tags"),
        ({"tag_listing": "yes"}, "tag_listing"),
    ],
)
def test_options_of_a_wrong_shape_are_named(options, told):
    with pytest.raises(ConfigError, match=f"connections.my-zaia.{told}"):
        ZaiaBench(**options)


def test_a_status_that_the_deployment_does_not_know_stops_the_connection():
    bench = ZaiaBench(statuses=["waiting", "ongoing", "completed"])
    for call in (
        bench.connector.ping,
        bench.connector.probe,
        lambda: bench.connector.changed("ticket", None),
        lambda: bench.connector.scan("ticket", None),
    ):
        with pytest.raises(Unauthorised, match="'waiting' is refused; .* `statuses`"):
            call()


def test_other_words_work_when_they_are_configured():
    words = ["waiting", "human", "talking", "over"]
    bench = ZaiaBench({"statuses": words}, statuses=words)
    one = bench.make(status="waiting")
    assert bench.connector.ping() == "tickets are waiting, human, talking, over"
    assert bench.connector.CAPABILITIES["ticket"].writable["status"].forward == tuple(words)
    assert ZaiaConnector.CAPABILITIES["ticket"].writable["status"].forward == WORDS
    bench.update(one, "takeover", status="talking")
    bench.update(one, "complete", status="over")
    assert bench.now(one)["status"] == "over"


def test_the_key_is_sent_bare(bench):
    bench.box.api_key = f"Bearer {KEY}"
    with pytest.raises(Unauthorised):
        bench.connector.ping()


# Reading


@pytest.mark.parametrize("body", ["message", "text", "empty"])
def test_a_ticket_that_is_not_there_is_none_whatever_the_404_says(body):
    bench = ZaiaBench({"error_body": body})
    gone = bench.make()
    bench.remove(gone)
    assert bench.connector.read("ticket", [gone]) == {gone: None}


def test_a_404_where_the_listing_is_missing_too_deletes_nothing(bench):
    one = bench.make()
    bench.faulty.next = ["404", "404"]
    with pytest.raises(Unavailable, match="check base_url"):
        bench.connector.read("ticket", [one])


def test_what_is_no_uuid_is_never_asked_for(bench):
    assert bench.connector.read("ticket", ["../tags"]) == {"../tags": None}
    assert bench.faulty.calls == []


def test_tickets_of_removed_chats_are_listed(bench):
    one = bench.make()
    bench.box.edit(one, {"chatIsRemoved": True})
    (row,) = bench.connector.changed("ticket", None).records
    assert (row.ref.id, row.data["chatIsRemoved"], row.partial) == (one, True, False)
    assert "tags" in row.unreadable


def test_people_are_shown_and_the_service_user_is_nobody(bench):
    one, two = bench.make(assigneeId=MARY), bench.make(assigneeId=SERVICE_USER)
    found = {key: bench.connector.read("ticket", [key])[key] for key in (one, two)}
    assert found[one].people == (Person(MARY, "mary@support.example", "Mary Bishop"),)
    assert found[two].people == ()
    assert found[two].data["assigneeId"] is found[two].data["assigneeEmail"] is None


def test_a_listing_that_is_no_array_is_an_error(bench):
    bench.make()
    real = bench.box.list_tickets
    for body in (b'{"data": []}', b"[1]", b'[{"id": ""}]', b"null"):

        def listing(call, body=body):
            answer = real(call)
            answer.set_data(body)
            return answer

        bench.box.list_tickets = listing
        with pytest.raises(Unavailable, match="proper rows"):
            bench.connector.changed("ticket", None)


def test_a_deployment_that_ignores_page_numbers_is_found_out(bench):
    for _ in range(120):
        bench.make(status="pending")
    real = bench.box.list_tickets

    def listing(call):
        call.request.args = {**call.request.args.to_dict(), "pageNumber": "1"}
        call.request.args = type("Args", (dict,), {"getlist": lambda self, name: [self[name]] if name in self else []})(
            call.request.args
        )
        return real(call)

    bench.box.list_tickets = listing
    page = bench.connector.changed("ticket", None)
    with pytest.raises(Unavailable, match="same page again"):
        bench.connector.changed("ticket", page.cursor)


@pytest.mark.parametrize("total", [0, 1, 99, 100, 101, 160, 199, 200, 1000, 2345])
def test_windows_cover_every_row_and_overlap(total):
    rows = [str(number) for number in range(total)]
    place, seen, ends = START, [], []
    while place is not None:
        size, number = place[2], place[3]
        window = rows[size * (number - 1) : size * number]
        if ends:
            assert size * (number - 1) <= ends[-1] - BACK
        ends.append(size * number)
        assert joined(place[4], window)
        seen += window
        place = following(place, 1, window)
    assert set(seen) == set(rows)
    assert len(ends) <= total / 50 + 2


@pytest.mark.parametrize(
    ("before", "now", "fits"),
    [("abcd", "cdef", True), ("abcd", "dcef", False), ("abcd", "efgh", False), ("", "abc", True), ("abcd", "df", True)],
)
def test_windows_fit_when_they_share_rows_in_order(before, now, fits):
    assert joined(list(before), list(now)) is fits


# Tags


def test_tags_are_known_from_a_full_listing_as_of_its_beginning(bench):
    one, two = bench.make(tags=["VIP", "billing"]), bench.make(status="completed", tags=["billing"])
    three = bench.make(status="ongoing")
    bench.wait(60)
    began = bench.clock.now()
    page, found = bench.connector.scan("ticket", None), {}
    assert page.records[0].unreadable["tags"]
    while page.cursor is not None:
        bench.wait(7)
        page = bench.connector.scan("ticket", json.loads(json.dumps(page.cursor)))
        found |= {record.ref.id: record for record in page.records}
    assert {key: record.data["tags"] for key, record in found.items()} == {
        one: ["VIP", "billing"],
        two: ["billing"],
        three: [],
    }
    assert {record.read_at for record in found.values()} == {began}
    assert not any(record.unreadable for record in found.values())


def test_what_is_attached_while_tags_are_listed_may_be_missing_but_is_newer(bench):
    one = bench.make(tags=["old"])
    bench.wait(60)
    page = bench.connector.scan("ticket", None)
    began = bench.clock.now()
    while "place" in page.cursor:
        page = bench.connector.scan("ticket", page.cursor)
        bench.wait(1)
    bench.update(one, "attach", tags="old")
    bench.box.edit(one, {"tags": ["old", "new"]})
    (row,) = bench.connector.scan("ticket", page.cursor).records
    assert (row.data["tags"], row.read_at) == (["old"], began)


def test_a_ticket_made_after_the_sweep_began_has_unknown_tags(bench):
    bench.make(tags=["VIP"])
    bench.wait(60)
    page = bench.connector.scan("ticket", None)
    bench.wait(1)
    late = bench.make(tags=["VIP"])
    found = {}
    while page.cursor is not None:
        page = bench.connector.scan("ticket", page.cursor)
        found |= {record.ref.id: record for record in page.records}
    assert "newer" in found[late].unreadable["tags"]
    assert "tags" not in found[late].data


@pytest.mark.parametrize(("first", "then"), [("ongoing", "completed"), ("completed", "ongoing")])
@pytest.mark.parametrize("turn", range(1, 8))
def test_a_ticket_that_moves_either_way_meanwhile_keeps_its_tags(bench, first, then, turn):
    one, other = bench.make(status=first, tags=["VIP"]), bench.make(status="pending")
    bench.wait(60)
    found, cursor = {}, None
    for number in range(100):
        if number == turn:
            bench.box.edit(one, {"status": then})
        page = bench.connector.scan("ticket", cursor)
        found |= {record.ref.id: record.data["tags"] for record in page.records if "tags" in record.data}
        cursor = page.cursor
        if cursor is None:
            break
    assert found[other] == []
    assert found.get(one, ["VIP"]) == ["VIP"]


def test_a_tag_of_more_tickets_than_a_page_while_rows_leave_the_front(bench):
    ids = [bench.make(status="completed", tags=["VIP"]) for _ in range(230)]
    bench.make(status="pending")
    bench.wait(60)
    cursor, found = None, {}
    gone = iter(reversed(ids))
    for turn in range(100):
        page = bench.connector.scan("ticket", cursor)
        found |= {record.ref.id: record.data.get("tags") for record in page.records}
        cursor = page.cursor
        if cursor is None:
            break
        for _ in range(5 if turn in (4, 5, 6) else 0):
            bench.remove(next(gone))
    left = [each for each in ids if bench.now(each)]
    assert len(left) == 215
    assert {each: found[each] for each in left} == dict.fromkeys(left, ["VIP"])


def test_pages_without_an_order_leave_tags_unread(bench):
    for _ in range(150):
        bench.make(status="pending", tags=["VIP"])
    bench.wait(60)
    bench.box.configure({"shuffled": True})
    told = {row if isinstance(row, str) else tuple(row) for row in bench.tags().values()}
    assert told == {"the pages of a tag's listing did not fit together"}


def test_a_deployment_that_ignores_the_tag_filter_says_nothing_about_tags():
    bench = ZaiaBench({"tag_filter": False})
    one, two = bench.make(tags=["VIP"]), bench.make()
    bench.wait(60)
    assert bench.tags() == dict.fromkeys((one, two), "this deployment does not filter by tag")
    assert bench.connector.probe()["tag_filter"] is False
    bench.update(two, "attach", tags="VIP")
    assert bench.now(two)["tags"] == ["VIP"]


def test_without_names_nothing_is_said_about_tags():
    bench = ZaiaBench({"tag_listing": False}, tag_listing=False)
    one = bench.make(tags=["VIP"])
    assert "no tags are known" in bench.tags()[one]
    with pytest.raises(NotFound, match="no tag 'VIP' is known"):
        bench.update(one, "attach", tags="VIP")
    assert bench.writes() == []


def test_names_come_from_the_configuration_first(bench):
    one, two = bench.make(tags=["VIP"]), bench.make()
    named = ZaiaBench.__new__(ZaiaBench)
    named.__dict__ |= bench.__dict__
    settings = replace(
        bench.settings, options={"service_user": SERVICE_USER, "tags": {"Very important": bench.box.tags["VIP"]}}
    )
    named.connector = build(settings, bench.http)
    bench.wait(60)
    assert named.tags() == {one: ["Very important"], two: []}
    named.update(two, "attach", tags="#very IMPORTANT ")
    assert bench.now(two)["tags"] == ["VIP"]


def test_a_tag_refused_in_a_listing_leaves_all_tags_unread(bench):
    one = bench.make(tags=["VIP"])
    bench.wait(60)
    page = bench.connector.scan("ticket", None)
    bench.faulty.next = ["400"]
    page = bench.connector.scan("ticket", page.cursor)
    (row,) = bench.connector.scan("ticket", page.cursor).records
    assert (row.ref.id, "tags" in row.data) == (one, False)
    assert "refused" in row.unreadable["tags"]


def test_the_first_page_of_a_full_listing_has_rows_whatever_the_tags(bench):
    bench.box._named(["never used"])
    one = bench.make(status="completed")
    assert [record.ref.id for record in bench.connector.scan("ticket", None).records] == [one]
    bench.remove(one)
    page = bench.connector.scan("ticket", None)
    assert (page.records, page.cursor) == ([], None)


def test_names_are_found_by_spelling_then_by_likeness():
    known = Tags([("VIP", "1")])
    known.learn([("vip", "2"), ("#Billing", "3"), ("other name of VIP", "1")])
    assert [known.id_of(each) for each in ("VIP", "vip", "Vip", "billing", "none")] == ["1", "2", "1", "3", None]
    assert known.all() == {"VIP": "1", "vip": "2", "#Billing": "3"}


@pytest.mark.parametrize("status", [200, 404, 409, 500])
@pytest.mark.parametrize(("verb", "tag"), [("attach", "VIP"), ("detach", "old")])
def test_a_tag_that_is_as_wanted_is_not_sent_again(status, verb, tag):
    bench = ZaiaBench({"attach_again": status, "detach_missing": status})
    bench.make(tags=["old"])
    one = bench.make(tags=["VIP"])
    assert bench.update(one, verb, tags=tag).proved == {"tags"}
    assert bench.writes() == []
    bench.box.configure({"tag_filter": False})
    fresh = ZaiaBench.__new__(ZaiaBench)
    fresh.__dict__ |= bench.__dict__
    fresh.connector = build(bench.settings, bench.http)
    if status == 200:
        fresh.update(one, verb, tags=tag)
    else:  # where nothing can be looked up, the vendor's word stands
        with pytest.raises((NotFound, AlreadyExists, UnknownOutcome)):
            fresh.update(one, verb, tags=tag)
    assert len(bench.writes()) == 1


@pytest.mark.parametrize("fault", ["500-after", "409-after", "404-after", "400-after"])
@pytest.mark.parametrize(("verb", "tag", "left"), [("attach", "VIP", ["old", "VIP"]), ("detach", "old", [])])
def test_an_odd_answer_about_a_tag_is_looked_into(bench, fault, verb, tag, left):
    bench.make(tags=["VIP"])
    one = bench.make(tags=["old"])
    bench.connector.probe()
    bench.faulty.next = ["", "", fault]
    assert bench.update(one, verb, tags=tag).proved == {"tags"}
    assert bench.now(one)["tags"] == left
    assert len(bench.writes()) == 1


def test_a_tag_whose_write_was_lost_is_of_unknown_outcome(bench):
    bench.make(tags=["VIP"])
    one = bench.make()
    bench.connector.probe()
    for fault in ("500", "timeout-after"):
        bench.faulty.next = ["", "", fault]
        with pytest.raises(UnknownOutcome):
            bench.update(one, "attach", tags="VIP")


# Verbs


def test_a_takeover_takes_the_ticket_s_own_user_else_the_service_user(bench):
    mine, nobodys = bench.make(assigneeId=MARY), bench.make()
    for one, user in ((mine, MARY), (nobodys, SERVICE_USER)):
        record = bench.update(one, "takeover", status="ongoing")
        assert (record.data["status"], record.partial) == ("ongoing", True)
        assert bench.now(one)["assignee"]["id"] == user
    assert record.data["assigneeId"] is None


def test_a_takeover_of_what_is_taken_over_only_assigns(bench):
    one = bench.make(status="ongoing", assigneeId=MARY)
    assert bench.update(one, "takeover", status="ongoing").data["assigneeId"] == MARY
    assert bench.writes() == []
    assert bench.update(one, "takeover", status="ongoing", assigneeId=JONAS).data["assigneeId"] == JONAS
    assert [call[1].rpartition("/")[2] for call in bench.writes()] == ["assignee"]


def test_what_was_completed_meanwhile_is_not_taken_over(bench):
    one = bench.make(status="completed")
    with pytest.raises(AlreadyExists, match="'completed' by now"):
        bench.update(one, "takeover", status="ongoing")
    assert bench.writes() == []


@pytest.mark.parametrize("again", ["refused", "restamped"])
def test_what_is_completed_is_never_completed_again(again):
    bench = ZaiaBench({"complete_again": again})
    one = bench.make(status="ongoing", assigneeId=MARY)
    assert bench.update(one, "complete", status="completed").data["status"] == "completed"
    at = bench.now(one)["completedAt"]
    bench.wait(60)
    assert bench.update(one, "complete", status="completed").data["status"] == "completed"
    assert bench.now(one)["completedAt"] == at
    assert (len(bench.writes()), bench.notes()) == (1, [])


def test_a_refusal_after_it_was_done_counts_as_done(bench):
    one, two = bench.make(), bench.make(status="ongoing")
    for remote_id, verb, status in ((one, "takeover", "ongoing"), (two, "complete", "completed")):
        bench.faulty.next = ["", "409-after"]
        assert bench.update(remote_id, verb, status=status).data["status"] == status
    three = bench.make()
    bench.faulty.next = ["", "409"]
    with pytest.raises(AlreadyExists):
        bench.update(three, "complete", status="completed")


def test_completing_uses_the_assignee_else_the_service_user(bench):
    one, two = bench.make(status="ongoing", assigneeId=MARY), bench.make(status="ongoing")
    for each in (one, two):
        bench.update(each, "complete", status="completed")
    sent = [entry.sent for entry in bench.box.journal.since() if entry.kind == "write"]
    assert sent == [{"userId": MARY}, {"userId": SERVICE_USER}]


def test_without_a_user_nothing_is_taken_over(bench):
    one = bench.make()
    settings = replace(bench.settings, options={})
    with pytest.raises(Refused, match="configure service_user"):
        build(settings, bench.http).update(bench.ref(one), "complete", {"status": "completed"})
    assert bench.writes() == []


# Creating


def test_a_chat_gets_one_open_ticket(bench):
    draft = bench.draft("m-1")
    made = bench.connector.create(draft)
    assert (made.data["chatId"], made.data["status"], made.data["assigneeId"]) == (
        draft.values["chatId"],
        "pending",
        MARY,
    )
    again = bench.connector.create(draft)
    assert again.ref == made.ref
    assert len(bench.writes()) == 1
    bench.update(made.ref.id, "complete", status="completed")
    other = bench.connector.create(draft)
    assert other.ref != made.ref
    assert bench.notes() == []


@pytest.mark.parametrize("fault", ["timeout-after", "reset-after", "500-after", "html-after"])
def test_a_create_of_unknown_fate_is_found_on_its_chat(bench, fault):
    draft = bench.draft("m-42")
    bench.faulty.next = ["", "", "", fault]
    with pytest.raises(UnknownOutcome):
        bench.connector.create(draft)
    (found,) = bench.connector.find(Intent(draft, bench.clock.now()))
    assert (found.marker, found.data["chatId"]) == ("m-42", draft.values["chatId"])
    assert bench.connector.find(Intent(bench.draft("m-43"), bench.clock.now())) == []
    assert bench.connector.find(Intent(draft, bench.clock.now() + timedelta(hours=1))) == []
    assert [each.marker for each in bench.connector.find(Intent(draft, None))] == [None]


# The reference's own examples


@pytest.mark.parametrize("path", sorted((FIXTURES / "zaia").glob("api_*.json")), ids=lambda path: path.stem)
def test_what_the_reference_documents_is_what_is_declared(bench, path):
    given = json.loads(path.read_text(encoding="utf-8"))
    readable = bench.connector.CAPABILITIES["ticket"].readable
    row = given["body"][0] if isinstance(given["body"], list) else given["body"]
    bench.faulty = None
    answered = []

    class Canned(WSGIAdapter):
        def send(self, request, **kwargs):
            answered.append((request.method, request.path_url.partition("?")[0]))
            body = given["body"] if answered[-1] == (given["method"], given["path"]) else given["before"]
            return super().send(request, **kwargs) if body is None else self._canned(request, body)

        def _canned(self, request, body):
            response = super().send(request)
            response._content, response.status_code = json.dumps(body).encode(), 200
            response.raw = __import__("io").BytesIO(response._content)
            return response

    http = Http(bench.settings, clock=bench.clock, adapter=Canned(bench.box, bench.clock))
    connector = build(replace(bench.settings, options={**bench.settings.options, "tags": {"VIP": MARY}}), http)
    ref = bench.ref(given["id"])
    if given["method"] == "GET":
        is_list = isinstance(given["body"], list)
        found = connector.changed("ticket", None).records[0] if is_list else connector.read("ticket", [ref.id])[ref.id]
        assert found.ref == ref
        assert set(row) | {"tags"} == set(readable)
    elif given["call"] == "create":
        found = connector.create(Draft("ticket", given["values"], "m-1"))
        assert found.ref == ref
    else:
        found = connector.update(ref, given["call"], given["values"])
        assert found is None or found.data["status"] == row["status"]
    assert (given["method"], given["path"]) in answered
    http.close()
