"""What no document of a vendor's describes is on record, and is refused or ignored."""

import pytest
import requests
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from bridge.connectors import connector_class
from bridge.core.model.capabilities import Probe
from bridge.sandbox import population
from bridge.sandbox.documented_calls import (
    CallTable,
    DocumentedCall,
    Source,
    commas,
    fields,
    flag,
    list_of,
    moment,
    nothing,
    one_of,
    perhaps,
    text,
    uuid4,
    whole,
)
from bridge.sandbox.exchange import ReceivedCall
from bridge.sandbox.registry import sandbox_class, systems
from bridge.sandbox.transport import WSGIAdapter
from tests.sandbox.played import SWITCH

HEADERS = {
    "switch": ("Authorization", "Bearer {}"),
    "posthog": ("Authorization", "Bearer {}"),
    "zaia": ("Authorization", "{}"),
    "scopeai": ("Authorization", "Token token={}"),
    "upscope": ("X-Api-Key", "{}"),
}
MARY = population.AGENTS[0]
TICKETS = "/api/projects/12345/conversations/tickets"
NEVER = "GET /api/projects/<project_id>/conversations/tickets/<ticket_id>"
"""Documented, and nothing that a sync may call: it has a test of its own."""
CUSTOMER = {"email": "new@example.com", "name": "New", "phone": "+1", "company": "Acme"}

PLAYED = {
    "switch": [
        ("GET", "/tickets?status=new&unassigned=true&tags=a,b&search=x&customer_id=1", None),
        ("GET", "/tickets?order_by=updated_at&order_dir=asc&limit=5", None),
        ("GET", "/tickets/{ticket}", None),
        ("POST", "/tickets", {"subject": "x", "customer_email": "a@example.com", "tags": ["a"]}),
        ("PATCH", "/tickets/{ticket}", {"status": "pending", "assignee_id": "usr_1"}),
        ("POST", "/conversations", {"ticket_id": "{ticket}", "content": "x", "internal": True}),
        ("GET", "/conversations?ticket_id={ticket}&type=reply&internal=true&limit=5", None),
        ("GET", "/customers/{customer}", None),
        ("POST", "/customers", CUSTOMER),
    ],
    "posthog": [
        ("GET", f"{TICKETS}?limit=5&offset=0&order_by=-updated_at&search=1", None),
        ("POST", f"{TICKETS}/", {"status": "open", "priority": None, "anonymous_traits": {}}),
        ("PATCH", f"{TICKETS}/{{ticket}}/", {"assignee": None, "tags": ["a"], "status": "open"}),
        ("GET", f"{TICKETS}/unread_count/", None),
        ("DELETE", f"{TICKETS}/{{ticket}}/", None),
    ],
    "zaia": [
        ("GET", "/api/v1/tickets/details?status=pending&includeRemoved=true&pageSize=100", None),
        ("GET", "/api/v1/tickets/{ticket}/details", None),
        ("PATCH", "/api/v1/tickets/{ticket}/takeover", {"assigneeId": "{mary}"}),
        ("PATCH", "/api/v1/tickets/{ticket}/assignee", {"assigneeId": "{mary}"}),
        ("POST", "/api/v1/tickets/{ticket}/tags", {"tagId": "{tag}"}),
        ("DELETE", "/api/v1/tickets/{ticket}/tags/{tag}", None),
        ("PATCH", "/api/v1/tickets/{ticket}/complete", {"userId": "{mary}"}),
        (
            "POST",
            "/api/v1/tickets",
            {
                "chatId": "{chat}",
                "ticketingTeamId": None,
                "assigneeId": "{mary}",
                "status": "ongoing",
            },
        ),
    ],
    "scopeai": [
        ("POST", "/tickets", {"external_id": 5, "original_text": "file", "original_html": "x"}),
        ("GET", "/tickets?start_date=1&per_page=5&page=1", None),
        ("GET", "/tickets/1", None),
        ("GET", "/tickets/find_by?external_id=5", None),
        ("GET", "/tags?relevant=true", None),
        ("GET", "/tags/1", None),
    ],
    "upscope": [
        ("GET", "/usage.json", None),
        ("GET", "/list.json?search=ben", None),
        ("GET", "/list.json", None),
        ("GET", "/visitors/{visitor}.json", None),
        (
            "POST",
            "/visitors/{visitor}/watch_url.json",
            {"agent": {"id": "1", "name": "Mary"}, "branding": {"retry_url": None}},
        ),
    ],
}


class Client:
    """Somebody who calls a sandbox, with names for what is in it."""

    def __init__(self, system, clock):
        self.app = sandbox_class(system)(clock, 1)
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.mount("http://", WSGIAdapter(self.app, clock))
        name, form = HEADERS[system]
        self.session.headers[name] = form.format(self.app.api_key)
        self.names = self._populate(system, clock)

    def _populate(self, system, clock):
        first = self.app.populate(3, 1)[0]
        clock.sleep(60)
        names = {"ticket": first, "visitor": first, "mary": self.app.agent_id(MARY)}
        if system == "switch":
            names["customer"] = self.app.tickets()[0]["customer"]["id"]
        if system == "zaia":
            self.app.edit(first, {"status": "pending", "tags": []})
            names["chat"] = self.app.open_chat("c@example.com", "x")
            names["tag"] = self.app.tags[self.app.edit(first, {"tags": ["a"]})["tags"][0]]
            self.app.edit(first, {"tags": []})
        return names

    def call(self, method, path, body=None):
        url = f"http://vendor.test{self.app.PREFIX}{path.format(**self.names)}"
        if body is not None:
            body = {
                name: value.format(**self.names) if isinstance(value, str) else value
                for name, value in body.items()
            }
        return self.session.request(method, url, json=body)

    def calls(self):
        return [entry for entry in self.app.journal.since() if entry.actor == "bridge"]

    def undocumented(self):
        return self.calls()[-1].undocumented


def shown_at(place, answer):
    """Return the records that an answer shows."""
    value = answer.json()
    name = place.removesuffix("[]")
    value = value[name] if name else value
    return value if place.endswith("[]") else [value]


@pytest.mark.parametrize("system", systems())
def test_every_documented_answer_is_given_as_documented(system, clock):
    client = Client(system, clock)
    seen = set()
    for method, path, body in PLAYED[system]:
        answer = client.call(method, path, body)
        assert client.undocumented() == (), path
        row = row_of(client.app, method, path)
        if not row.answers:
            continue
        shape = row.answers[answer.status_code]
        records = shown_at(shape.place, answer) if shape.shows else [{}]
        seen |= {row.name for _ in records}
        for record in records:
            assert set(record) <= set(shape.shows), path
    assert seen == {row.name for row in client.app.CALLS.calls if row.answers} - {NEVER}


def row_of(app, method, path):
    request = EnvironBuilder(path=app.PREFIX + path.partition("?")[0], method=method)
    reading = app.CALLS.read(ReceivedCall(Request(request.get_environ())), app.PREFIX, app.options)
    return reading.call


@pytest.mark.parametrize("system", systems())
def test_a_call_that_no_document_has_is_refused_and_on_record(system, clock):
    client = Client(system, clock)
    for method, path in (("GET", "/nothing/there"), ("PUT", PLAYED[system][0][1].split("?")[0])):
        answer = client.call(method, path)
        assert answer.status_code in {404, 405, 403}
        assert client.undocumented() == (f"{method} {path}",)


@pytest.mark.parametrize(("strict", "status"), [("ignore", 200), ("refuse", 400)])
def test_an_unknown_parameter_is_ignored_or_refused_as_the_option_says(clock, strict, status):
    client = Client("switch", clock)
    client.app.configure({"strict": strict})
    answer = client.call("GET", "/users?order_by=name&order_dir=x")
    assert answer.status_code == status
    assert client.undocumented() == ("GET /users: order_by", "GET /users: order_dir")


@pytest.mark.parametrize(("strict", "status"), [("ignore", 200), ("refuse", 400)])
def test_an_unknown_field_is_ignored_or_refused_as_the_option_says(clock, strict, status):
    client = Client("switch", clock)
    client.app.configure({"strict": strict})
    body = {"priority": "high", "description": "new"}
    assert client.call("PATCH", "/tickets/{ticket}", body).status_code == status
    assert client.undocumented() == ("PATCH /tickets/<ticket_id>: description",)
    changed = client.app.tickets()[0]
    assert (changed["priority"] == "high", changed["description"] == "new") == (
        status == 200,
        False,
    )
    if status == 200:
        assert client.calls()[-1].ignored == ("description",)


@pytest.mark.parametrize(
    ("taken", "status", "kept"),
    [(True, 200, False), ("ignore", 200, True), ("refuse", 400, True), (False, 200, True)],
)
def test_what_nobody_tells_of_is_as_the_option_says_and_undocumented_all_the_same(
    clock, taken, status, kept
):
    client = Client("switch", clock)
    client.app.edit(client.names["ticket"], {"assignee_id": "usr_1"})
    client.app.configure({"null_assignee": taken})
    assert client.call("PATCH", "/tickets/{ticket}", {"assignee_id": None}).status_code == status
    assert (client.app.tickets()[0]["assignee"] is not None) is kept
    assert client.undocumented() == ("PATCH /tickets/<ticket_id>: assignee_id=null",)


def test_a_call_that_a_deployment_lacks_is_undocumented_there(clock):
    client = Client("zaia", clock)
    assert client.call("GET", "/api/v1/tags").status_code == 200
    assert client.undocumented() == ()
    client.app.configure({"tag_listing": False})
    assert client.call("GET", "/api/v1/tags").status_code == 404
    assert client.undocumented() == ("GET /api/v1/tags",)


def test_what_is_refused_for_its_key_is_on_record_all_the_same(clock):
    client = Client("switch", clock)
    client.session.headers["Authorization"] = "Bearer wrong"
    assert client.call("GET", "/tickets?page=2").status_code == 401
    assert client.undocumented() == ("GET /tickets: page",)


def read(table, method, path, body=None, **options):
    builder = EnvironBuilder(path=path.partition("?")[0], method=method, json=body)
    builder.query_string = path.partition("?")[2]
    call = ReceivedCall(Request(builder.get_environ()))
    return table.read(call, "", {"strict": "ignore", **options})


@pytest.mark.parametrize(
    ("value", "good", "bad"),
    [
        (whole(1, 100), [1, 100], [0, 101, True, 1.0, "1", None]),
        (flag, [True, False], ["true", 1, None]),
        (text, ["", "x"], [1, None, ["x"]]),
        (text | nothing, ["x", None], [1]),
        (one_of("a", "b"), ["a"], ["c", 1, None]),
        (commas(one_of("a", "b")), ["a", "a,b"], ["a,c", "", 1]),
        (list_of(text), [[], ["x"]], ["x", [1], None]),
        (moment, ["2026-01-01T00:00:00Z"], ["yesterday", 1]),
        (uuid4, ["00000000-0000-4000-8000-000000000001"], ["x", 1]),
        (fields(id=whole(), name=text), [{}, {"id": 1}], [{"id": "1"}, {"other": 1}, []]),
    ],
    ids=lambda value: getattr(value, "words", ""),
)
def test_a_value_fits_or_is_on_record(value, good, bad):
    table = CallTable([DocumentedCall("POST", "/x", "do", body={"field": value})])
    for given in good:
        assert read(table, "POST", "/x", {"field": given}).undocumented == []
    for given in bad:
        what = "POST /x: field=null" if given is None else "POST /x: value of field"
        assert read(table, "POST", "/x", {"field": given}).undocumented == [what]


def test_a_query_says_numbers_and_truth_in_text():
    query = {"limit": whole(1, 100), "unread": flag, "search": text, "ids": uuid4 | list_of(uuid4)}
    table = CallTable([DocumentedCall("GET", "/x", "do", query=query)])
    one = "00000000-0000-4000-8000-000000000001"
    assert read(table, "GET", f"/x?limit=5&unread=true&search=7&ids={one}&ids={one}") == read(
        table, "GET", "/x"
    )
    bad = read(table, "GET", f"/x?limit=500&unread=yes&ids=7&limit={'9' * 5000}")
    assert set(bad.undocumented) == {
        "GET /x: value of limit",
        "GET /x: value of unread",
        "GET /x: value of ids",
    }
    assert len(bad.undocumented) == 4


def test_what_must_be_sent_is_missed():
    table = CallTable([DocumentedCall("POST", "/x", "do", body={"a": text}, required=("a",))])
    assert read(table, "POST", "/x", {}).undocumented == ["POST /x: without a"]
    assert read(table, "POST", "/x", {"a": "b"}).undocumented == []


def test_the_first_value_that_fits_counts():
    values = text, perhaps(nothing, "empty")
    table = CallTable([DocumentedCall("POST", "/x", "do", body={"a": values})])
    assert read(table, "POST", "/x", {"a": "b"}, empty=True).undocumented == []
    taken = read(table, "POST", "/x", {"a": None}, empty=True)
    assert (taken.undocumented, taken.hidden, taken.refusal) == (["POST /x: a=null"], set(), None)
    assert read(table, "POST", "/x", {"a": None}, empty="ignore").hidden == {"a"}


def test_the_tables_say_who_tells_of_what():
    told = {
        row.source
        for system in systems()
        for row in sandbox_class(system).CALLS.calls
    }  # fmt: skip
    assert told == {Source.PAGE, Source.LATER, Source.CODE}


def test_a_probe_that_is_declared_explains_a_call(clock, monkeypatch, caplog):
    client = Client("switch", clock)
    part = "GET /tickets: page"
    client.call("GET", "/tickets?page=2")
    assert [record.getMessage() for record in caplog.records] == [f"switch: undocumented: {part}"]
    monkeypatch.setattr(connector_class("switch"), "PROBES", (Probe(part, "seen once"),))
    client.call("GET", "/tickets?page=2")
    assert (len(caplog.records), client.undocumented()) == (1, (part,))


def test_a_listing_is_behind_by_the_lag(switch, to_switch, clock):
    switch.configure({"list_lag": 5.0})
    made = to_switch.post(f"{SWITCH}/tickets", json={"subject": "x"}).json()["data"]["id"]

    def listed():
        return [
            (row["id"], row["status"])
            for row in to_switch.get(f"{SWITCH}/tickets").json()["data"]
        ]  # fmt: skip

    assert listed() == []
    clock.sleep(5)
    assert listed() == [(made, "new")]
    to_switch.patch(f"{SWITCH}/tickets/{made}", json={"status": "open"})
    assert listed() == [(made, "new")]
    assert to_switch.get(f"{SWITCH}/tickets/{made}").json()["data"]["status"] == "open"
    clock.sleep(5)
    assert listed() == [(made, "open")]
