"""The Parcel Desk connector under the contract of all connectors, and each trap of its API."""

from __future__ import annotations

import copy
import itertools
import json
import re

import pytest

from bridge.connectors.contract import Draft, Intent, Person
from bridge.core.model.values import Ref
from bridge.errors import NotFound, Refused, Unavailable
from bridge.http.client import Http
from bridge.sandbox.population import AGENTS
from bridge.sandbox.transport import WSGIAdapter
from tests.connectors.bench import KEY, Bench, Faulty, StillClock, connection
from tests.connectors.contract import ConnectorContract
from tests.connectors.documented import below, documented
from tests.made_up import PARCELDESK
from tests.seventh.bridge.connectors.parceldesk.connector import ParcelDeskConnector
from tests.seventh.bridge.sandbox.parceldesk import ParcelDeskSandbox

MARY = AGENTS[0].email


class ParcelDeskBench(Bench):
    shows = frozenset({"title", "status", "priority", "assignee", "labels"})
    change = ("patch", {"status": "doing"})

    def __init__(self):
        self.clock = StillClock()
        self.box = ParcelDeskSandbox(self.clock, 1, api_key=KEY)
        self.faulty = Faulty(WSGIAdapter(self.box, self.clock))
        settings = connection("parceldesk")
        self.http = Http(settings, clock=self.clock, adapter=self.faulty)
        self.connector = ParcelDeskConnector(settings, self.http)

    def add(self, count):
        return [self.make(title=f"Parcel {number}") for number in range(count)]

    def make(self, **fields):
        base = {"title": "Where is it?", "requester": "c@customer.example"}
        return str(self.box.create({**base, **fields})["id"])

    def touch(self, remote_id):
        self.box.edit(remote_id, {"status": "doing"})

    def remove(self, remote_id):
        self.box.delete(remote_id)

    def wait(self, seconds):
        self.clock.sleep(seconds)

    def draft(self, marker):
        values = {
            "title": "Help",
            "body": "It is wet",
            "priority": 1,
            "assignee": MARY,
            "requester": f"c-{marker[-4:]}@customer.example",
        }
        return Draft("ticket", values, marker)

    def values(self):
        return {
            "title": "Other",
            "status": "done",
            "priority": 3,
            "assignee": MARY,
            "labels": "vip",
        }

    def shown(self, data, key):
        return data[key]

    def side_effects(self):
        return copy.deepcopy([dict(row) for row in self.box.store])

    def update(self, remote_id, verb, **values):
        return self.connector.update(Ref("my-parceldesk", "ticket", remote_id), verb, values)

    def read(self, remote_id):
        return self.connector.read("ticket", [remote_id])[remote_id]

    def labels(self, remote_id):
        return self.box.store.get(remote_id)["tags"]

    def walk(self, listing):
        """Return every page of a listing, as ids."""
        pages, cursor = [], None
        while True:
            page = listing("ticket", cursor)
            pages.append([record.ref.id for record in page.records])
            cursor = json.loads(json.dumps(page.cursor))
            if not cursor:
                return pages


@pytest.fixture
def bench(monkeypatch):
    PARCELDESK.register(monkeypatch)
    made = ParcelDeskBench()
    yield made
    made.http.close()


class TestParcelDesk(ConnectorContract):
    system = PARCELDESK.name
    root = PARCELDESK.folder

    # Nothing moves towards the end of a listing by id: what is changed after its page was read is
    # seen by the next poll. See test_who_leaves_hides_nobody for what moves towards the front.
    test_changed_gives_rows_that_move_while_it_runs = None

    def test_declared_fields_round_trip(self, bench):
        """A label is added and removed; everything else is written by one PATCH."""
        one = bench.make(labels=["old"])
        fields = bench.values()
        label = fields.pop("labels")
        bench.update(one, "patch", **fields)
        bench.update(one, "label", labels=label)
        bench.update(one, "unlabel", labels="old")
        data = bench.read(one).data
        assert {name: data[name] for name in fields} == fields
        assert data["labels"] == [label]


# Listings


def test_who_leaves_hides_nobody(bench):
    ids = bench.add(180)
    page = bench.connector.changed("ticket", None)
    seen = [record.ref.id for record in page.records]
    assert seen == ids[150:]
    for gone in ids[:60]:
        bench.remove(gone)
    cursor = page.cursor
    while page.records:
        page = bench.connector.changed("ticket", cursor)
        seen += [record.ref.id for record in page.records]
        cursor = page.cursor
    assert set(ids[60:]) <= set(seen)


@pytest.mark.parametrize("change", [-120, -50, -1, 0, 1, 50, 120])
def test_a_stale_total_misleads_nobody(bench, change):
    ids = bench.add(200)
    bench.connector.ping()
    ids += bench.add(max(change, 0))
    for gone in ids[: max(-change, 0)]:
        bench.remove(gone)
    pages = bench.walk(bench.connector.scan)
    assert sorted(itertools.chain(*pages), key=int) == ids[max(-change, 0) :]
    assert all(pages)


def test_a_listing_that_is_not_sorted_is_not_believed(bench):
    bench.add(3)
    real = bench.box.listed
    bench.box.listed = lambda: real()[::-1]
    with pytest.raises(Unavailable, match="not sorted by id"):
        bench.connector.changed("ticket", None)


def test_labels_are_in_a_full_listing_and_in_no_other(bench):
    one = bench.make(labels=["VIP"])
    (listed,) = bench.connector.changed("ticket", None).records
    assert (listed.partial, "labels" in listed.data) == (True, False)
    (listed,) = bench.connector.scan("ticket", None).records
    assert (listed.partial, listed.data["labels"]) == (False, ["VIP"])
    assert bench.read(one).data == listed.data


def test_a_wrong_address_deletes_nothing(bench):
    one = bench.make()
    bench.faulty.next = ["404", "404"]
    with pytest.raises(NotFound):
        bench.read(one)


# Writes


def test_a_label_that_is_there_or_gone_already_is_no_error(bench):
    one = bench.make(labels=["a"])
    bench.update(one, "label", labels="a")
    bench.update(one, "unlabel", labels="b")
    bench.update(one, "label", labels="c/d?")
    bench.update(one, "unlabel", labels="a")
    assert bench.labels(one) == ["c/d?"]
    bench.remove(one)
    with pytest.raises(NotFound):
        bench.update(one, "label", labels="a")


def test_a_refusal_names_its_field(bench):
    one = bench.make()
    with pytest.raises(Refused, match='"field": "assignee"'):
        bench.update(one, "patch", status="doing", assignee="nobody@support.example")
    assert bench.read(one).data["status"] == "todo"


def test_a_reason_of_a_human_is_kept_while_nobody_reopens(bench):
    one = bench.make(status="done")
    bench.update(one, "patch", priority=3)
    assert bench.read(one).data["reason"] == "closed at the desk"
    bench.update(one, "patch", status="doing")
    assert bench.read(one).data["reason"] is None


def test_an_order_number_is_no_marker(bench):
    draft = bench.draft("m-0007")
    mine = bench.make(requester=draft.values["requester"].upper(), reference="order 7")
    bench.make(requester=draft.values["requester"], reference="bridge-m-0008")
    (found,) = bench.connector.find(Intent(draft, None))
    assert (found.ref.id, found.marker, found.data["reference"]) == (mine, None, "order 7")


def test_a_desk_that_ignores_the_filter_finds_no_strangers(bench):
    bench.box.configure({"requester_filter": False})
    bench.add(120)
    draft = bench.draft("m-0007")
    assert bench.connector.find(Intent(draft, None)) == []
    made = bench.connector.create(draft)
    assert [each.ref for each in bench.connector.find(Intent(draft, made.read_at))] == [made.ref]


def test_an_agent_is_known_by_address(bench):
    assert bench.read(bench.make(assignee=MARY)).people == (Person(MARY, MARY),)


def test_documented_calls(bench):
    made = bench.connector.create(bench.draft("m-1"))
    bench.update(made.ref.id, "patch", status="done")
    bench.update(made.ref.id, "label", labels="a")
    bench.update(made.ref.id, "unlabel", labels="a")
    bench.connector.scan("ticket", None)
    bench.read(made.ref.id)
    called = {f"{method} {_path(url)}" for method, url in bench.faulty.calls}
    assert called == documented(PARCELDESK.name, PARCELDESK.folder)


def _path(url):
    path = re.sub(r"/\d+", "/{id}", below(url, "https://parceldesk.example"))
    return re.sub(r"/labels/.+", "/labels/{name}", path)
