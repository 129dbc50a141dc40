"""Zaia's reference, which lists calls with fields and no examples, as the connector makes them.

A fixture has the fields of one call as the reference lists them, with values made up to fit their
types: what is sent, what is answered, and which of the answer's fields may be null.
"""

from __future__ import annotations

import json
from io import BytesIO
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import urllib3
from requests.adapters import BaseAdapter

from bridge.connectors import build
from bridge.connectors.contract import Draft
from bridge.core.model.values import Ref
from bridge.http.client import Http
from bridge.sandbox.zaia_rows import SERVICE_USER
from tests.connectors.bench import FIXTURES, StillClock, connection
from tests.connectors.zaia_bench import ZaiaBench

TICKET, MARY, TAG = (f"5f0e7a52-31c4-4d0b-9a54-0c2f7b1d8e0{number}" for number in (1, 3, 4))
CALLS = sorted(
    path.stem.removeprefix("api_reference_")
    for path in (FIXTURES / "zaia").glob("api_reference_*.json")
)
VERBS = {
    "takeover": ("takeover", {"status": "ongoing", "assigneeId": MARY}),
    "complete": ("complete", {"status": "completed"}),
    "assignee": ("assign", {"assigneeId": MARY}),
    "attach": ("attach", {"tags": "VIP"}),
    "detach": ("detach", {"tags": "VIP"}),
}


def document(name):
    return json.loads(
        (FIXTURES / "zaia" / f"api_reference_{name}.json").read_text(encoding="utf-8")
    )


def address(told):
    """The path of a call, with the ids of the fixtures."""
    return (
        told["path"].replace("{id}", TICKET).replace("{ticketId}", TICKET).replace("{tagId}", TAG)
    )


class Answers(BaseAdapter):
    """A vendor that answers the calls it is given, each with one body, and knows no other."""

    def __init__(self, bodies, tagged=()):
        super().__init__()
        self.bodies = bodies
        self.tagged = list(tagged)
        self.sent = []

    def send(self, request, **_kwargs):
        url = urlsplit(request.url)
        if request.method != "GET":
            self.sent.append(
                (request.method, url.path, json.loads(request.body) if request.body else None)
            )
        body = self.bodies[request.method, url.path]
        wanted = parse_qs(url.query).get("tagIds")
        if wanted is not None:
            body = self.tagged if wanted == [TAG] else []
        response = requests.Response()
        response.status_code = 200
        response.headers["Content-Type"] = "application/json"
        raw = BytesIO(json.dumps(body).encode())
        response.raw = urllib3.HTTPResponse(raw, headers=response.headers, preload_content=False)
        response.url, response.request = request.url, request
        return response

    def close(self):
        """Nothing is open."""


def answering(bodies, tagged=()):
    """Return a connector to a vendor that answers so, and what is sent to it."""
    settings = connection("zaia", options={"service_user": SERVICE_USER, "tags": {"VIP": TAG}})
    answers = Answers(bodies, tagged)
    return build(settings, Http(settings, clock=StillClock(), adapter=answers)), answers.sent


def emptied(told):
    """The answer with everything null that may be."""
    nothing = dict.fromkeys(told["nullable"])
    body = told["answer"]
    return [{**row, **nothing} for row in body] if isinstance(body, list) else {**body, **nothing}


@pytest.mark.parametrize("form", [lambda told: told["answer"], emptied], ids=["full", "null"])
@pytest.mark.parametrize("name", ["details", "list"])
def test_a_documented_row_is_read_whole(name, form):
    told = document(name)
    body = form(told)
    row = body[0] if isinstance(body, list) else body
    connector, _sent = answering({("GET", address(told)): body})
    if name == "list":
        (record,) = connector.changed("ticket", None).records
    else:
        record = connector.read("ticket", [TICKET])[TICKET]
    assert (record.ref.id, record.partial, record.data) == (TICKET, False, row)
    assert set(row) | {"tags"} == set(connector.CAPABILITIES["ticket"].readable)
    assert [person.id for person in record.people] == ([MARY] if row["assigneeEmail"] else [])


def test_a_documented_create_is_sent_as_printed():
    told, listed = document("create"), document("list")
    connector, sent = answering(
        {("POST", address(told)): told["answer"], ("GET", address(listed)): []}
    )
    record = connector.create(Draft("ticket", told["sent"], "m-1"))
    assert sent == [("POST", address(told), told["sent"])]
    assert (record.ref.id, record.partial, record.data) == (TICKET, True, told["answer"])


@pytest.mark.parametrize("form", [lambda told: told["answer"], emptied], ids=["full", "null"])
@pytest.mark.parametrize("name", sorted(VERBS))
def test_a_documented_write_is_sent_as_printed(name, form):
    told, details, listed = document(name), document("details"), document("list")
    before = details["answer"] | ({"status": "pending"} if name == "takeover" else {})
    bodies = {
        (told["method"], address(told)): form(told),
        ("GET", address(details)): before,
        ("GET", address(listed)): [before],
    }
    connector, sent = answering(bodies, tagged=[before] if name == "detach" else [])
    verb, values = VERBS[name]
    record = connector.update(Ref("my-zaia", "ticket", TICKET), verb, values)
    assert sent == [(told["method"], address(told), told.get("sent"))]
    if "tags" in values:
        assert (record.proved, record.data) == ({"tags"}, before)
    else:
        assert (record.ref.id, record.partial, record.data) == (TICKET, True, form(told))


def test_every_documented_call_is_looked_at():
    assert set(CALLS) == {"details", "list", "create", *VERBS}


def test_the_sandbox_answers_with_the_fields_of_the_reference():
    bench = ZaiaBench()
    one = bench.make()
    details, listed, create = (document(name)["answer"] for name in ("details", "list", "create"))
    (record,) = bench.connector.changed("ticket", None).records
    assert set(record.data) == set(details) == set(listed[0])
    assert set(bench.update(one, "assign", assigneeId=SERVICE_USER).data) == set(create)
    bench.http.close()
